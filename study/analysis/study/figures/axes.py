"""The axes of the charts: what each searched setting may be, and where a value lies."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from study.spec import CategoricalDomain, Domain, IntDomain, StudySpec
from study.spec.domains import extremes
from study.storage.record import TrialRecord


@dataclass(frozen=True)
class Axis:
    """A searched setting, by the name it has in YAML: bT, and not its ratio to b0."""

    name: str
    low: float
    high: float
    log: bool
    whole: bool
    """Whether its values are whole numbers."""
    choices: tuple[str, ...]
    """Of a categorical setting; empty for numbers."""
    nuisance: bool

    def place(self, value: Any) -> float:
        """Returns where a value lies between low (0) and high (1); of a choice its index."""
        if self.choices:
            return float(self.choices.index(str(value)))
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.5

    def values(self, count: int) -> list[float]:
        """Returns at most `count` evenly spaced values from low to high; choices by index."""
        if self.choices:
            return [float(index) for index in range(len(self.choices))]
        if self.low == self.high:
            return [self.low]
        shares = [k / (count - 1) for k in range(count)]
        if self.log:
            return [self.low * (self.high / self.low) ** share for share in shares]
        values = [self.low + share * (self.high - self.low) for share in shares]
        if self.whole:
            return [float(value) for value in sorted({round(value) for value in values})]
        return values

    def as_option(self) -> dict[str, Any]:
        """Returns what the script of a chart needs."""
        return asdict(self)


def axes(spec: StudySpec) -> list[Axis]:
    """Returns the axes of the searched settings, in the order of the spec."""
    return [_axis(name, domain, spec) for name, domain in spec.domains.items()]


def _axis(name: str, domain: Domain, spec: StudySpec) -> Axis:
    nuisance = domain.role == "nuisance"
    if isinstance(domain, CategoricalDomain):
        choices = tuple(str(choice) for choice in domain.choices)
        return Axis(name, 0, len(choices) - 1, False, True, choices, nuisance)
    low, high = float(domain.low), float(domain.high)
    whole = isinstance(domain, IntDomain)
    if getattr(domain, "ratio_of", None):
        b0 = [float(value) for value in extremes(getattr(spec.adapter, "b0", 1))]
        low, high = (max(1.0, round(low * min(b0))), max(1.0, round(high * max(b0))))
        return Axis(name, low, high, False, True, (), nuisance)
    return Axis(name, low, high, domain.log, whole, (), nuisance)


def points(trials: Sequence[TrialRecord], of: Sequence[Axis]) -> list[TrialRecord]:
    """Returns the complete trials that have a score and a value on every axis."""
    return [
        trial
        for trial in trials
        if trial.state == "complete"
        and trial.value is not None
        and all(_fits(axis, trial.settings.get(axis.name)) for axis in of)
    ]


def _fits(axis: Axis, value: Any) -> bool:
    if axis.choices:
        return str(value) in axis.choices
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (value > 0 or not axis.log)
