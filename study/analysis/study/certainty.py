"""How sure each searched setting is: the winner's value among those that are as good."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING, short
from study.spec import CategoricalDomain, Domain, parameter_name
from study.spec.domains import domain_text

EDGE = 0.02
"""A value within this share of a domain's width from its end is at its edge."""


@dataclass(frozen=True)
class Setting:
    """One searched setting."""

    name: str
    domain: str
    nuisance: bool
    value: str
    """The winner's."""
    edge: bool
    """Whether that is at the edge of the domain, so that better values may lie outside."""
    good: str
    """The values of the winner and all trials that are as good: from the least to the largest."""


def certainty(study: StudyData) -> list[Setting]:
    """Returns the searched settings in the order of the spec; [] without a winner or best."""
    best = study.result.headline
    if best is None:
        return []
    good = [study.record.trials[number] for number in (best.trial, *(study.result.as_good or ()))]
    return [
        Setting(
            name=leaf,
            domain=domain_text(domain),
            nuisance=domain.role == "nuisance",
            value=short(best.settings.get(leaf)),
            edge=_at_edge(domain, best.params.get(parameter_name(leaf, domain))),
            good=_range([trial.settings.get(leaf) for trial in good]) if good[1:] else NOTHING,
        )
        for leaf, domain in study.spec.domains.items()
    ]


def domains(study: StudyData) -> dict[str, dict[str, Any]]:
    """Returns what a chart needs of each searched setting: `low`, `high` and `log`, or `choices`.

    The ends of a ratio are those of the values that were tried, with its own name in `ratio`.
    """
    return {leaf: _axis(study, leaf, domain) for leaf, domain in study.spec.domains.items()}


def _axis(study: StudyData, leaf: str, domain: Domain) -> dict[str, Any]:
    shared = {"nuisance": domain.role == "nuisance"}
    if isinstance(domain, CategoricalDomain):
        return shared | {"choices": list(domain.choices)}
    name = parameter_name(leaf, domain)
    if name == leaf:
        return shared | {"low": domain.low, "high": domain.high, "log": domain.log}
    tried = [trial.settings[leaf] for trial in study.trials if leaf in trial.settings]
    low, high = min(tried, default=0), max(tried, default=1)
    return shared | {"low": low, "high": high, "log": False, "ratio": name}


def _at_edge(domain: Domain, value: Any) -> bool:
    if isinstance(domain, CategoricalDomain) or not isinstance(value, int | float):
        return False
    low, high, at = float(domain.low), float(domain.high), float(value)
    if domain.log and at > 0:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return high > low and min(at - low, high - at) <= EDGE * (high - low)


def _range(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in known) and known:
        low, high = min(known), max(known)
        return short(low) if low == high else f"{short(low)} to {short(high)}"
    return ", ".join(dict.fromkeys(short(value) for value in known))
