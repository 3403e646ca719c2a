"""What early stopping saved, and what it cost by the trials that ran on; see `auditing.py`.

The trials that ran on are a random sample of the stopped ones. Of how many of all stopped trials
would have been better than the best of the search there is an exact interval (hypergeometric). By
how much the best score would be better without early stopping depends on the trials that did not
run on: their last scores are predicted. What a trial gains from its stop to its end is, for the
remaining share r of its training, r (a + b s + e), where s is its score at the stop; a, b and the
variance of e are those of the trials that ran on, with their uncertainty (a linear regression with
a flat prior, so that predictions have Student's t).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.spec import StudySpec
from study.spec.metrics import limits_of
from study.storage.auditing import awaiting
from study.storage.events import MetricValues
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.collapse import NAMES, is_one_class

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

LEVEL = 0.95
FEWEST = 8
"""Trials that must have run on to their end before scores of others are predicted."""
DRAWS = 4000


@dataclass(frozen=True)
class EarlyStopping:
    """Savings and regret of early stopping."""

    stopped: int
    """Trials that were stopped."""
    steps: int
    """Optimizer steps of the search."""
    saved: int
    """Optimizer steps that the stopped trials did not train in it."""
    audited: int
    """Stopped trials that have run on, those that failed included."""
    waiting: int
    """Stopped trials that still have to."""
    audit_steps: int
    """Optimizer steps that those have trained after their stop."""
    better: int
    """How many of these were better at their end than the best of the search, and feasible."""
    better_low: int
    better_high: int
    """95 % interval of the number of all stopped trials that would have been; without an audit it
    is 0 to all."""
    loss: float | None
    """By how much the best score of the search would be better if no trial had been stopped, in
    the metric's unit: the median of its distribution. The mean would be far too large, as it
    depends on the tails. None if `unknown` says why."""
    loss_low: float | None
    loss_high: float | None
    """Its 95 % interval."""
    unknown: str
    """Why the loss is not predicted; else empty."""


def early_stopping(record: StudyRecord, spec: StudySpec) -> EarlyStopping | None:
    """Returns savings and regret so far; None if no trial was stopped."""
    stopped = record.in_state("pruned")
    if not stopped:
        return None
    sign = 1.0 if spec.goals.objectives[0].maximize else -1.0
    best = record.best(sign > 0, spec.goals.constraints)
    least = -math.inf if best is None or best.value is None else sign * best.value
    audited = [trial for trial in stopped if trial.audited is not None]
    scores = {trial.number: _end(trial, spec, sign) for trial in audited}
    better = sum(score is not None and score > least for score in scores.values())
    low, high = population(len(stopped), len(audited), better)
    ends = limits_of(spec.objective)
    unknown = _why_unknown(stopped, scores, least)
    limit = max(sign * end for end in ends)
    loss = None if unknown else _loss(stopped, scores, sign, least, limit)
    return EarlyStopping(
        stopped=len(stopped),
        steps=sum(_step(trial) for trial in record.trials.values()),
        saved=sum(trial.total_steps - _step(trial) for trial in stopped),
        audited=len(audited),
        waiting=len(awaiting(record, spec)),
        audit_steps=sum(max(0, t.audited.step - _step(t)) for t in audited if t.audited),
        better=better,
        better_low=low,
        better_high=high,
        loss=loss[0] if loss else None,
        loss_low=loss[1] if loss else None,
        loss_high=loss[2] if loss else None,
        unknown=unknown,
    )


def population(size: int, sample: int, found: int) -> tuple[int, int]:
    """Returns the 95 % interval of how many of `size` are as `found` of a random `sample` are.

    The Clopper-Pearson interval of a finite population: the numbers that neither tail of the
    hypergeometric distribution rejects at 2.5 %.
    """
    whole, tail = math.comb(size, sample), (1 - LEVEL) / 2

    def chance(number: int, low: int, high: int) -> float:
        ways = (
            math.comb(number, k) * math.comb(size - number, sample - k)
            for k in range(low, high + 1)
        )
        return sum(ways) / whole

    possible = [
        number
        for number in range(found, size - sample + found + 1)
        if chance(number, found, sample) > tail and chance(number, 0, found) > tail
    ]
    return possible[0], possible[-1]


def _end(trial: TrialRecord, spec: StudySpec, sign: float) -> float | None:
    """Returns the score at the end of a trial that ran on, larger is better; None if it failed."""
    metrics = trial.audited.metrics if trial.audited else {}
    value = metrics.get(trial.metric)
    if value is None or (trial.audited and trial.audited.reason):
        return None
    broken = any(c.violation(metrics.get(c.metric)) > 0 for c in spec.goals.constraints)
    return -math.inf if broken else sign * value


def _step(trial: TrialRecord) -> int:
    return trial.reports[-1].step if trial.reports else 0


def _why_unknown(
    stopped: Sequence[TrialRecord], ends: dict[int, float | None], least: float
) -> str:
    """Returns why the ends of the other trials cannot be predicted by a line; "" if they can."""
    if not math.isfinite(least):
        return "no trial is complete"
    if len(ends) == len(stopped):
        return ""  # Nothing has to be predicted.
    if len(ends) < FEWEST:
        return f"{FEWEST} trials must have run on"
    if any(end is None or not math.isfinite(end) for end in ends.values()):
        return "a trial that ran on failed or breaks a constraint"
    last: list[MetricValues] = [trial.metrics for trial in stopped]
    last += [trial.audited.metrics for trial in stopped if trial.audited]
    if any(is_one_class(*(one.get(f"dev_{name}") for name in NAMES)) for one in last):
        return "some stopped trials predicted one class for all sequences"
    return ""


def _loss(
    stopped: Sequence[TrialRecord],
    ends: dict[int, float | None],
    sign: float,
    least: float,
    limit: float,
) -> tuple[float, float, float]:
    """Returns median and interval of the excess of the best of all ends over `least`.

    Larger is better; no score exceeds `limit`.
    """
    finite = [(t, end) for t in stopped if (end := ends.get(t.number)) is not None]
    others = [t for t in stopped if t.number not in ends and t.value is not None]
    if not others:
        known = max(0.0, max((end for _, end in finite), default=-math.inf) - least)
        return known, known, known
    import numpy as np  # Not needed to read a study without an audit.

    from_stop = np.array([[sign * (t.value or 0.0), _rest(t), end] for t, end in finite])
    to_predict = np.array([[sign * (t.value or 0.0), _rest(t)] for t in others]).reshape(-1, 2)
    best = predicted_best(from_stop, to_predict, np.random.default_rng(0))
    best = np.maximum(np.minimum(best, limit), from_stop[:, 2].max())
    excess = np.maximum(0.0, best - least)
    low, middle, high = np.quantile(excess, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return float(middle), float(low), float(high)


def _rest(trial: TrialRecord) -> float:
    return 1.0 - len(trial.reports) / trial.reports_planned


def predicted_best(
    known: "Float[np.ndarray, 'audited 3']",
    others: "Float[np.ndarray, 'others 2']",
    rng: "np.random.Generator",
) -> "Float[np.ndarray, ' draws']":
    """Returns draws of the best score that trials which did not run on would have had.

    Args:
        known: score at the stop, remaining share of training, score at the end.
        others: score at the stop and remaining share of those to predict.
        rng: draws.
    """
    import numpy as np

    centre = known[:, 0].mean()
    design = np.stack([np.ones(len(known)), known[:, 0] - centre], axis=1)
    gain = (known[:, 2] - known[:, 0]) / known[:, 1]
    # Scores at the stop that hardly differ say nothing on a slope.
    if np.ptp(known[:, 0]) <= 1e-3 * max(np.ptp(known[:, 2]), abs(centre)) or len(known) < 4:
        design = design[:, :1]
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ gain
    freedom = len(known) - design.shape[1]
    residual = gain - design @ coefficients
    sd = np.sqrt((residual @ residual) / rng.chisquare(freedom, DRAWS))
    drawn = rng.normal(size=(DRAWS, len(coefficients))) @ np.linalg.cholesky(inverse).T
    lines = coefficients + sd[:, None] * drawn
    at = np.stack([np.ones(len(others)), others[:, 0] - centre], axis=1)[:, : design.shape[1]]
    noise = sd[:, None] * rng.normal(size=(DRAWS, len(others)))
    ends = others[:, 0] + others[:, 1] * (lines @ at.T + noise)
    best: Float[np.ndarray, " draws"] = ends.max(axis=1)
    return best
