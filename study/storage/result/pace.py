"""What the trials of a study have cost so far: time per step, start of a worker, early ends."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.spec import StudySpec
from study.storage.record import StudyRecord, TrialRecord

PRIOR_TRIALS = 2.0
"""Weight, in trials, of what a rung does without ties (1 of `reduction_factor` continues)."""
START_SECONDS = 10.0
"""The start of a worker, before one has been measured."""
LATEST_STARTS = 4
"""The start of a worker is that of the latest: it depends on what else the machine does."""
FRESH = 1.0
"""A start that takes longer, in seconds, is of a new process; a worker that is used again is
ready sooner."""


@dataclass(frozen=True)
class Pace:
    """Times of one worker, in seconds."""

    step: float
    """An optimizer step, evaluations included."""
    train_step: float
    """An optimizer step without evaluations."""
    evaluation: float
    """One evaluation on dev."""
    spread: float
    """Standard deviation of `step` between trials, as a share of it; 0 for one trial."""
    trials: int
    """Trials with a report, from which this is computed."""


def busy_seconds(trial: TrialRecord) -> float:
    """Returns the time from the start of a trial's first step to its last report or its end."""
    last = trial.ended or (trial.reports[-1].time if trial.reports else trial.created)
    return max(0.0, last - trial.created - trial.idle - start_seconds(trial))


def start_seconds(trial: TrialRecord) -> float:
    """Returns how long a trial waited for its worker; 0 before its first report."""
    return float(trial.metrics.get("start_seconds") or 0.0)


def worker_start(trials: Iterable[TrialRecord]) -> float:
    """Returns the time from the start of a worker's process to its first step, in seconds.

    It is the median of the latest; workers that were used again are left out.
    """
    fresh = [trial for trial in trials if start_seconds(trial) > FRESH]
    latest = sorted(fresh, key=lambda trial: trial.created)[-LATEST_STARTS:]
    return statistics.median(map(start_seconds, latest)) if latest else START_SECONDS


def measure(trials: Iterable[TrialRecord]) -> Pace | None:
    """Returns the pace of the trials that have reported; None without one."""
    reported = [t for t in trials if t.reports and busy_seconds(t) > 0]
    if not reported:
        return None
    busy = [busy_seconds(trial) for trial in reported]
    steps = [trial.reports[-1].step for trial in reported]
    train = [min(b, _train_seconds(t, b)) for t, b in zip(reported, busy, strict=True)]
    reports = sum(len(trial.reports) for trial in reported)
    each = [b / s for b, s in zip(busy, steps, strict=True)]
    return Pace(
        step=sum(busy) / sum(steps),
        train_step=sum(train) / sum(steps),
        evaluation=(sum(busy) - sum(train)) / reports,
        spread=statistics.stdev(each) / statistics.fmean(each) if len(each) > 1 else 0.0,
        trials=len(reported),
    )


def _train_seconds(trial: TrialRecord, busy: float) -> float:
    seconds = trial.metrics.get("train_seconds")
    return busy if seconds is None else float(seconds)


@dataclass(frozen=True)
class Survival:
    """The share of trials that are still training after each report.

    `shares[r]` is the share that makes report r + 1: of trials that have made report r, those
    that were neither stopped nor failed.
    """

    shares: tuple[float, ...]
    trials: float
    """The number of trials that it is estimated from, with the prior's."""

    def fraction(self, done: int = 0) -> float:
        """Returns the mean share of all reports that a trial with `done` reports will still make.

        A trial between two reports makes the next one.
        """
        mean, alive = 0.0, 1.0
        for place in range(done, len(self.shares)):
            alive *= self.shares[place] if place > done or not done else 1.0
            mean += alive
        return mean / len(self.shares)

    @property
    def deviation(self) -> float:
        """The standard deviation of a new trial's share of reports."""
        mean, square, alive = self.fraction(), 0.0, 1.0
        for place, share in enumerate(self.shares, start=1):
            alive *= share
            square += alive * (2 * place - 1)
        return math.sqrt(max(0.0, square / len(self.shares) ** 2 - mean**2))

    @property
    def complete(self) -> float:
        """The share of new trials that train to their end."""
        alive = 1.0
        for share in self.shares:
            alive *= share
        return alive


def survival(spec: StudySpec, record: StudyRecord, rungs: Sequence[int]) -> Survival:
    """Returns the survival of a study's trials, from its decisions so far and its rungs.

    Decisions are counted, not ended trials: those that end first are the ones that were stopped.
    """
    reports, shares = int(spec.training.reports), []
    expected = 1 / float(spec.scheduler.reduction_factor) if rungs else 1.0
    for report in range(reports):
        made = [t for t in record.trials.values() if len(t.reports) >= report]
        ended = [t for t in made if len(t.reports) == report and t.state in ("pruned", "failed")]
        waiting = [t for t in made if len(t.reports) == report and t.state == "running"]
        known = len(made) - len(waiting) * (not report)
        prior = expected if report in rungs else 1.0
        left = known - len(ended) + PRIOR_TRIALS * prior
        shares.append(left / (known + PRIOR_TRIALS))
    return Survival(tuple(shares), len(record.in_state("complete", "pruned", "failed")) + 2.0)
