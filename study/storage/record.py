"""The state of all trials of a study, computed from its events.

A running study applies event by event, a resumed one all at once, so that both have the same
state after the same events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from study.spec.goals import Constraint, Goals
from study.storage import events
from study.storage.events import (
    Absent,
    Decision,
    EndState,
    Event,
    RaceDecided,
    Report,
    State,
    TrialAudited,
    TrialStalled,
    WarmStart,
    WinnerEvaluated,
)

STATE_AFTER: dict[str, EndState] = {"complete": "complete", "stop": "pruned", "fail": "failed"}
"""Decision -> the state of its trial; after any other decision the trial continues."""
CRASHED = "crashed"
"""The first word of the reason of a trial that failed by crashes."""
OUT_OF_MEMORY = "out of memory"
"""The first words of the reason of a trial that failed for lack of memory."""


@dataclass
class TrialRecord:
    """One trial: what it was created with, its reports and decisions, and its state."""

    number: int
    metric: str
    params: dict[str, Any]
    """The values Optuna suggested, by parameter name."""
    settings: dict[str, Any]
    """The resolved values by leaf name, as trials.csv and MLflow show them."""
    seeds: Mapping[str, int]
    total_steps: int
    reports_planned: int
    optuna: Mapping[str, Any]
    """The sampler's own attributes of the trial (CMA-ES and NSGA-II keep state there)."""
    created: float
    """Seconds since the epoch."""
    point: int | None = None
    """The index of the spec's point that it tries, None if the sampler chose it."""
    reports: list[Report] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    state: State = "running"
    reason: str = ""
    ended: float | None = None
    crashes: int = 0
    """The number of crashes of its worker; it is tried again `resources.max_failures` times."""
    faults: int = 0
    """The number of crashes that were errors of the trial, and not the end of its process."""
    stalled: TrialStalled | None = None
    """That its worker gives no sign of life, if so."""
    audited: TrialAudited | None = None
    """What it reached at its end, if it was stopped early and trained on all the same."""
    idle: float = 0.0
    """Seconds between the last event before an interruption and the resumption."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """The labels of a benchmark's or comparison's run, which the journal keeps as params."""
        return self.params

    @property
    def seconds(self) -> float | None:
        """Wall time from creation to end while the study ran, None before the end."""
        return None if self.ended is None else self.ended - self.created - self.idle

    @property
    def crashed(self) -> bool:
        """Whether the trial failed by crashes, and not by its numbers."""
        return self.state == "failed" and self.reason.startswith(CRASHED)

    @property
    def out_of_memory(self) -> bool:
        """Whether the trial failed for lack of memory."""
        return self.state == "failed" and self.reason.startswith(OUT_OF_MEMORY)

    @property
    def values(self) -> dict[int, float]:
        """The search metric by optimizer step; reports that are not finite are left out."""
        values = {report.step: report.metrics.get(self.metric) for report in self.reports}
        return {step: value for step, value in values.items() if value is not None}

    @property
    def value(self) -> float | None:
        """The search metric of the last report, None before the first or if it is not finite."""
        return self.reports[-1].metrics.get(self.metric) if self.reports else None

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the last report; empty before the first."""
        return dict(self.reports[-1].metrics) if self.reports else {}

    def violations(self, constraints: Iterable[Constraint]) -> dict[str, float]:
        """Returns the violation of each constraint as a share of its bound, <= 0 where it is met.

        Of a stopped trial only metrics that cannot fall any more are compared: its final score is
        not known. A trial that ran out of memory breaks a bound of memory, whether or not there is
        such a constraint. Other failed trials, and running ones, have no violations.
        """
        if self.out_of_memory:
            return {"peak_memory_gib": 1.0}
        if self.state not in ("complete", "pruned"):
            return {}
        known = constraints if self.state == "complete" else [c for c in constraints if c.settles]
        metrics = self.metrics
        return {c.metric: c.violation(metrics.get(c.metric)) for c in known}

    def feasible(self, constraints: Iterable[Constraint]) -> bool | None:
        """Whether it meets the constraints; None if it runs or ended too early to know."""
        if any(violation > 0 for violation in self.violations(constraints).values()):
            return False
        return True if self.state == "complete" else None


@dataclass
class StudyRecord:
    """All trials of a study in the order in which they were created."""

    metric: str
    trials: dict[int, TrialRecord] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    """The reports of all trials in the order in which they came."""
    finalists: RaceDecided | None = None
    """The latest choice of a winner by a race, before its scores are known."""
    winner: WinnerEvaluated | None = None
    warm_start: WarmStart | None = None
    """Results of an earlier study that the sampler began with."""
    opened: events.StudyOpened | None = None
    """The event that opened the study."""
    baselines: dict[str, Mapping[str, float | None]] = field(default_factory=dict)
    """The scores of baselines that were measured beside the trials."""
    tracking: str | None = None
    """MLflow's address; None for a database in the study folder."""
    began: float | None = None
    """The time of the first event, in seconds since the epoch."""
    longest_interval: float = 0.0
    """The longest time between two reports of a trial that nothing interrupted, in seconds."""
    decides: bool = False
    """Whether a scheduler decides on every report, as in a study."""
    _last: float = 0.0
    _reported: dict[int, float] = field(default_factory=dict)
    """Trial -> the time of its last report, if nothing has interrupted it since."""

    def apply(self, event: Event) -> None:
        """Updates the state by one event, which must be consistent with those before."""
        self.began = event.time if self.began is None else self.began
        match event:
            case events.StudyOpened():
                self.opened = self.opened or event
                self._track(event.tracking)
            case events.BaselineMeasured():
                self.baselines[event.name] = event.scores
            case events.TrialCreated():
                self.trials[event.trial] = _created(event, self.metric)
            case Report():
                self.trials[event.trial].reports.append(event)
                self.reports.append(event)
                self.trials[event.trial].stalled = None
                before = self._reported.get(event.trial, event.time)
                self.longest_interval = max(self.longest_interval, event.time - before)
                self._reported[event.trial] = event.time
            case Decision():
                self.decides = True
                self.trials[event.trial].decisions.append(event)
            case events.TrialCrashed():
                trial = self.trials[event.trial]
                trial.crashes = event.attempt
                trial.faults += event.fault
                trial.stalled = None
                self._reported.pop(event.trial, None)
            case TrialStalled():
                self.trials[event.trial].stalled = event if event.minutes else None
            case events.TrialEnded():
                trial = self.trials[event.trial]
                trial.state, trial.reason = event.state, event.reason
                trial.ended, trial.stalled = event.time, None
            case TrialAudited():
                self.trials[event.trial].audited = event
            case RaceDecided():
                self.finalists = event
            case WinnerEvaluated():
                self.winner = event
            case WarmStart():
                self.warm_start = event
            case events.StudyGrown():
                for trial in self.trials.values():
                    _grow(trial, event)
                if self.warm_start is not None:
                    self.warm_start = _grow_earlier(self.warm_start, event)
            case events.StudyResumed():
                self._track(event.tracking)
                self._reported.clear()
                for trial in self.in_state("running"):
                    trial.idle += event.time - self._last
                    trial.stalled = None
        self._last = event.time

    @property
    def last(self) -> float | None:
        """The time of the last event, in seconds since the epoch; None before the first."""
        return None if self.began is None else self._last

    def _track(self, address: str | Absent | None) -> None:
        if not isinstance(address, Absent):
            self.tracking = address

    def in_state(self, *states: State) -> list[TrialRecord]:
        """Returns the trials in one of `states`, by number."""
        return [trial for trial in list(self.trials.values()) if trial.state in states]

    @property
    def began_with(self) -> str:
        """The earlier results as text, empty without any."""
        return "" if self.warm_start is None else in_words(self.warm_start)

    @property
    def points_tried(self) -> int:
        """The number of the spec's points that have a trial."""
        return sum(trial.point is not None for trial in self.trials.values())

    def eligible(self, constraints: Iterable[Constraint] = ()) -> list[TrialRecord]:
        """Returns the complete trials that have a value and meet the constraints, by number."""
        complete = [t for t in self.in_state("complete") if t.value is not None]
        return [trial for trial in complete if trial.feasible(constraints)]

    def best(self, maximize: bool, constraints: Iterable[Constraint] = ()) -> TrialRecord | None:
        """Returns the eligible trial with the best last value; the earlier one wins a tie."""
        eligible = self.eligible(constraints)
        if not eligible:
            return None
        sign = -1 if maximize else 1
        return min(eligible, key=lambda trial: (sign * float(trial.value or 0.0), trial.number))

    def why_no_winner(self, goals: Goals) -> str:
        """Returns the reason why no trial of a study that is over can win, as text."""
        complete = [t for t in self.in_state("complete") if t.value is not None]
        if not complete:
            return "no trial was completed with a score"
        nearest = min(complete, key=lambda t: (goals.violation(t.metrics), t.number))
        return (
            f"no complete trial meets the constraints; nearest comes trial {nearest.number}, with "
            f"{' and '.join(goals.broken(nearest.metrics))}"
        )

    def front(self, goals: Goals) -> list[TrialRecord]:
        """Returns the eligible trials that no other beats in all objectives, the best first."""
        candidates = {
            trial.number: values
            for trial in self.eligible(goals.constraints)
            if (values := goals.values(trial.metrics)) is not None
        }
        return [self.trials[number] for number in goals.front(candidates)]


def in_words(warm_start: WarmStart) -> str:
    """Returns the number of results taken over and their study, as text."""
    left_out = sum(warm_start.left_out.values())
    others = f" ({left_out} more do not fit)" if left_out else ""
    return f"{len(warm_start.results)} results of {warm_start.source}{others}"


def _grow_earlier(warm_start: WarmStart, event: events.StudyGrown) -> WarmStart:
    """Gives earlier results the values that they had in leaves that are searched from now on.

    Where they had other values than this study, nothing is known of them in the new space.
    """
    if set(warm_start.differs) & set(event.fixed):
        return replace(warm_start, results=[])
    grown = [replace(one, params={**event.fixed, **one.params}) for one in warm_start.results]
    return replace(warm_start, results=grown)


def _grow(trial: TrialRecord, event: events.StudyGrown) -> None:
    """Gives an earlier trial the values that it had in leaves that are searched from now on."""
    for values in (trial.params, trial.settings):
        values.update({k: v for k, v in event.fixed.items() if k not in values})
    if event.space:
        trial.optuna = {}  # A sampler's state in the smaller space is of no use in this one.


def _created(event: events.TrialCreated, metric: str) -> TrialRecord:
    return TrialRecord(
        number=event.trial,
        metric=metric,
        params=dict(event.params),
        settings=dict(event.settings),
        seeds=event.seeds,
        total_steps=event.total_steps,
        reports_planned=event.reports,
        optuna=event.optuna,
        created=event.time,
        point=None if isinstance(event.point, Absent) else event.point,
    )
