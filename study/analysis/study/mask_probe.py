"""What one mask costs: the probes of the complete trials, by mask event."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING

KINDS = {
    "mask_cost": "the random mask",
    "reintroduction_cost": "the re-introduced triplets",
}
EVENTS = ("first", "middle", "last")


@dataclass(frozen=True)
class Cost:
    """The cost of one kind at one mask event, in units of the objective."""

    kind: str
    event: str
    trials: int
    mean: str
    """Over the complete trials, with its 95 % interval (Student's t)."""
    winner: str
    """Of the winner, with the 95 % interval over its masks."""


def mask_costs(study: StudyData) -> list[Cost]:
    """Returns the costs by kind and event; [] without probes or complete trials."""
    complete = {trial.number: trial for trial in study.trials if trial.state == "complete"}
    best = study.result.headline
    rows = []
    for kind, text in KINDS.items():
        for event in EVENTS:
            name = f"{kind}_{event}"
            values = {n: v for n, t in complete.items() if (v := t.metrics.get(name)) is not None}
            if not values:
                continue
            own = None if best is None else values.get(best.trial)
            error = None if best is None else complete[best.trial].metrics.get(f"{name}_se")
            masks = study.spec.mask_probe.masks if study.spec.mask_probe else 0
            rows.append(
                Cost(
                    kind=text,
                    event=event,
                    trials=len(values),
                    mean=_over_trials(list(values.values())),
                    winner=NOTHING if own is None else _with_error(own, error, masks),
                )
            )
    return rows


def _over_trials(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:+.4f}"
    error = statistics.stdev(values) / math.sqrt(len(values))
    return _with_error(statistics.fmean(values), error, len(values))


def _with_error(mean: float, error: float | None, count: int) -> str:
    if error is None or count < 2:
        return f"{mean:+.4f}"
    half = float(stdtrit(count - 1, 0.975)) * error
    return f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"
