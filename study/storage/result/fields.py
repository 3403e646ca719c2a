"""The result of a study and its parts, as frozen classes of plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from study.storage.events import State, Value
from study.storage.result.estimates import Estimate
from study.storage.result.stopping import EarlyStopping

Phase = Literal["search", "race", "winner", "audit", "finished", "failed"]
"""What the journal says: trials are to be run; the race runs; the winner is chosen and not yet
measured; it is measured, and stopped trials train to their end; all is done; no trial can win.
Whether a driver is at work, only the lock knows."""
Level = Literal["ok", "warn", "bad", "unknown"]


@dataclass(frozen=True)
class TrialResult:
    """One trial of the search, with its runs in the race."""

    number: int
    state: State
    word: str
    """The state for people: `stopped early` for `pruned`."""
    reason: str
    params: Mapping[str, Value]
    """As Optuna knows them: bT_ratio."""
    settings: Mapping[str, Value]
    """Resolved: bT."""
    seeds: Mapping[str, int]
    score: float | None
    """The objective at its last report; of a stopped trial it is not that of a whole training."""
    curve: tuple[tuple[int, float], ...]
    """(step, objective) of its reports that are finite."""
    metrics: Mapping[str, float | None]
    """Of its last report."""
    feasible: bool | None
    """Whether it meets the constraints; None if not known."""
    reports: int
    reports_planned: int
    steps: int
    total_steps: int
    seconds: float | None
    created: float
    ended: float | None
    choosing: tuple[float | None, ...] = ()
    """Scores on dev of its runs with fresh seeds that chose the winner; None for a failed run."""
    confirming: tuple[float | None, ...] = ()
    """Of the winner: scores on dev of the runs with further seeds, which did not choose it."""
    estimate: float | None = None
    """The expected score of these settings with a new seed, by which the race ranks; None for
    trials that are not in it."""
    error: float | None = None
    """The standard error of `estimate`."""
    rounds: int = 0
    """The number of rounds of the race it took part in."""
    as_good: bool = False
    """Whether it cannot be told from the winner."""
    audited: float | None = None
    """Of a stopped trial that was trained to its end all the same: the objective there."""


@dataclass(frozen=True)
class Headline:
    """The winner, or the best complete trial so far, and the score to quote."""

    trial: int
    settings: Mapping[str, Value]
    params: Mapping[str, Value]
    confirmed: bool
    """Whether the scores are of seeds that did not choose it. If not, they are of the single run
    in the search by which it was chosen, and optimistic."""
    final: bool
    """Whether it is the winner, and not the best so far."""
    dev: Mapping[str, Estimate]
    """Metric, as dev_mcc, -> its estimate; the objective first."""
    test: Mapping[str, Estimate]
    """As `dev`; empty before the winner is measured."""
    seeds: tuple[Mapping[str, int], ...]
    """Of the runs that gave the scores."""
    search: float | None
    """The objective of its run in the search."""
    optimism: float | None
    """By how much `search` is better than the confirmed mean; None if not confirmed."""
    weights: Mapping[str, float | None]
    """Metric -> score on dev and test of the weights in best/, which are of one run; empty before
    they are written."""

    def score(self, metric: str) -> Estimate | None:
        """Returns the estimate of a metric, as dev_mcc or test_auc."""
        return {**self.dev, **self.test}.get(metric)


@dataclass(frozen=True)
class RaceView:
    """The race so far. The scores of each candidate are with its trial."""

    candidates: tuple[int, ...]
    """Trials, the best in the search first."""
    rounds: tuple[tuple[int, ...], ...]
    """The trials of every round so far, the best at its start first."""
    winner: int | None
    runs_ended: int
    runs_planned: int
    """With those that confirm the winner."""
    failed: int
    """The number of runs that failed."""


@dataclass(frozen=True)
class Light:
    """One check of the health of a study."""

    name: str
    level: Level
    text: str
    """One sentence."""


@dataclass(frozen=True)
class StudyResult:
    """What is known of a study, finished or not."""

    name: str
    phase: Phase
    why_none: str
    """Why no trial can win; else empty."""
    metric: str
    """The objective, as dev_mcc."""
    maximize: bool
    test_metric: str
    """The objective on test, as test_mcc."""
    headline: Headline | None
    """None without a complete trial that meets the constraints."""
    trials: tuple[TrialResult, ...]
    """By number."""
    planned: int
    """The number of trials of the study."""
    race: RaceView | None
    """None without a race, or before it begins."""
    baselines: Mapping[str, Mapping[str, float]]
    """Baseline (majority, kmer) -> metric -> score; empty if they were not computed."""
    rows: Mapping[str, int]
    """Split -> number of rows; empty if not recorded."""
    as_good: tuple[int, ...] | None
    """The trials that cannot be told from the winner, the best first, without itself; None if not
    known, which needs a race that is over. See `as_good.py`."""
    stopping: EarlyStopping | None
    """What early stopping saved and what it cost; None if it stopped no trial."""
    health: tuple[Light, ...]
    """The checks that apply, the worst first; see `health.py`."""
    began: float | None
    """Seconds since the epoch."""
    last: float | None
    """The time of the last event of the study or its race, in seconds since the epoch."""
    steps: int
    """Optimizer steps of all trials, of the runs of the race and of the audit."""
    tracking: str | None
    """MLflow's address; None for a database in the folder."""

    def trial(self, number: int) -> TrialResult:
        """Returns a trial."""
        return next(trial for trial in self.trials if trial.number == number)

    def in_state(self, *states: State) -> Sequence[TrialResult]:
        """Returns the trials in one of `states`, by number."""
        return [trial for trial in self.trials if trial.state in states]

    def as_json(self) -> dict[str, Any]:
        """Returns the same as plain dicts and lists."""
        return asdict(self)
