"""The score against each searched parameter: one panel for each."""

from dataclasses import dataclass, field
from typing import Any

from study.analysis.study.reading import StudyData
from study.spec import CategoricalDomain, Domain, IntDomain, parameter_name
from study.storage.events import State
from study.storage.record import TrialRecord


@dataclass(frozen=True)
class Point:
    """One trial in a panel."""

    trial: int
    state: State
    x: float
    """The value; for a categorical parameter the index of the choice in `choices`."""
    y: float
    """The score at the trial's last report."""


@dataclass(frozen=True)
class Panel:
    """One searched parameter with all trials that have a value for it."""

    name: str
    """The name in Optuna: the YAML key, or `bT_ratio`."""
    nuisance: bool
    log: bool
    bounds: tuple[float, float]
    """The ends of the domain; for a categorical parameter the first and last index."""
    choices: tuple[str, ...]
    """The choices of a categorical parameter; empty for numbers."""
    whole: bool
    """Whether the domain has only integers."""
    points: list[Point]
    failed: list[float]
    """The values of failed trials."""
    front: list[tuple[float, float]] = field(default_factory=list)
    """If x is an objective too: the points of the Pareto front."""


def panels(study: StudyData) -> list[Panel]:
    """Returns a panel for every searched parameter, in the order of the spec."""
    return [
        _panel(parameter_name(leaf, domain), domain, study.trials)
        for leaf, domain in study.spec.domains.items()
    ]


def _panel(name: str, domain: Domain, trials: list[TrialRecord]) -> Panel:
    placed = [(t, _position(domain, t.params[name])) for t in trials if name in t.params]
    choices = domain.choices if isinstance(domain, CategoricalDomain) else ()
    numeric = None if isinstance(domain, CategoricalDomain) else domain
    return Panel(
        name=name,
        nuisance=domain.role == "nuisance",
        log=numeric is not None and numeric.log,
        bounds=(numeric.low, numeric.high) if numeric else (0, len(choices) - 1),
        choices=tuple(str(choice) for choice in choices),
        whole=isinstance(domain, IntDomain),
        points=[
            Point(trial.number, trial.state, x, trial.value)
            for trial, x in placed
            if trial.state != "failed" and trial.value is not None
        ],
        failed=[x for trial, x in placed if trial.state == "failed"],
    )


def _position(domain: Domain, value: Any) -> float:
    if isinstance(domain, CategoricalDomain):
        return float(domain.choices.index(value))
    return float(value)
