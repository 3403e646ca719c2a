"""The events of a study folded into one state per trial.

The same fold serves the running study (event by event) and a resumed one (all at once), so a
resumed study cannot see anything that the uninterrupted one did not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from study.errors import InputError
from study.spec.goals import Constraint, Goals
from study.storage.journal import FROM_A_COPY, Event

State = Literal["running", "complete", "pruned", "failed"]
STATE_AFTER: dict[str, State] = {"complete": "complete", "stop": "pruned", "fail": "failed"}
"""The state in which a deciding report leaves its trial."""
CRASHED = "crashed"
"""The event of a crash, and how the reason of a trial begins that failed by one."""
OUT_OF_MEMORY = "out of memory"
"""How the reason of a trial begins that failed for want of memory."""


@dataclass
class TrialRecord:
    """Everything the journal says of one trial."""

    number: int
    metric: str
    params: dict[str, Any]
    """The values Optuna suggested, by parameter name."""
    settings: dict[str, Any]
    """The resolved values by leaf name, as trials.csv and MLflow show them."""
    seeds: dict[str, int]
    total_steps: int
    reports_planned: int
    optuna: dict[str, Any]
    """The sampler's own attributes of the trial (CMA-ES and NSGA-II keep state there)."""
    created: float
    point: int | None = None
    """The place of the spec's point that it tries, None if it was all the sampler's choice."""
    reports: list[Event] = field(default_factory=list)
    decisions: list[Event] = field(default_factory=list)
    state: State = "running"
    reason: str = ""
    ended: float | None = None
    crashes: int = 0
    """How often its worker crashed; a trial is tried again `resources.max_failures` times."""
    faults: int = 0
    """How many of the crashes were errors of its own, and not the end of its process."""
    idle: float = 0.0
    """Seconds between the last event before an interruption and the resumption."""

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
        """Whether the trial failed for want of memory."""
        return self.state == "failed" and self.reason.startswith(OUT_OF_MEMORY)

    @property
    def values(self) -> dict[int, float]:
        """The search metric by optimizer step; reports that are not finite are left out."""
        values = {report["step"]: report["metrics"].get(self.metric) for report in self.reports}
        return {step: value for step, value in values.items() if value is not None}

    @property
    def value(self) -> float | None:
        """The search metric of the last report, None before the first or if it is not finite."""
        return self.reports[-1]["metrics"].get(self.metric) if self.reports else None

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the last report; empty before the first."""
        return dict(self.reports[-1]["metrics"]) if self.reports else {}

    def violations(self, constraints: Iterable[Constraint]) -> dict[str, float]:
        """By how much it breaks each constraint as a share of the bound, <= 0 where it does not.

        Of a stopped trial only what cannot fall any more is said: what it would have scored or
        kept in the end is not known. One out of memory needed more than there is, whether or not
        a constraint asks about it. Other failed trials, and running ones, say nothing.
        """
        if self.out_of_memory:
            return {"peak_memory_gib": 1.0}
        if self.state not in ("complete", "pruned"):
            return {}
        told = constraints if self.state == "complete" else [c for c in constraints if c.settles]
        metrics = self.metrics
        return {c.metric: c.violation(metrics.get(c.metric)) for c in told}

    def feasible(self, constraints: Iterable[Constraint]) -> bool | None:
        """Whether it keeps the constraints; None where it ended too early to say, or runs."""
        if any(violation > 0 for violation in self.violations(constraints).values()):
            return False
        return True if self.state == "complete" else None


@dataclass
class StudyRecord:
    """All trials of a study in the order in which they were created."""

    metric: str
    trials: dict[int, TrialRecord] = field(default_factory=dict)
    reports: list[Event] = field(default_factory=list)
    """The reports of all trials in the order in which they came."""
    finalists: Event | None = None
    """The latest choice of a winner by a race, before its scores are known."""
    winner: Event | None = None
    warm_start: Event | None = None
    """Results of an earlier study that the sampler began with."""
    _last: float = 0.0

    @classmethod
    def of(cls, events: Iterable[Event], metric: str) -> "StudyRecord":
        """Folds all events of a journal.

        Raises:
            InputError: an event lacks a field, or the trial it is about.
        """
        record = cls(metric)
        for number, event in enumerate(events, start=1):
            try:
                record.apply(event)
            except (KeyError, TypeError, AttributeError) as error:
                raise InputError(
                    f"events.jsonl:{number}: every event must have its fields and an earlier "
                    f"`created` of its trial, but this one lacks {error}; restore the file "
                    f"{FROM_A_COPY}, or start a study of another name"
                ) from error
        return record

    def apply(self, event: Event) -> None:
        """Takes in one event."""
        match event["event"]:
            case "created":
                self.trials[event["trial"]] = _created(event, self.metric)
            case "report":
                self.trials[event["trial"]].reports.append(event)
                self.reports.append(event)
            case "decision":
                self.trials[event["trial"]].decisions.append(event)
            case "crashed":
                trial = self.trials[event["trial"]]
                trial.crashes = event["attempt"]
                trial.faults += event["fault"]
            case "ended":
                trial = self.trials[event["trial"]]
                trial.state, trial.reason = event["state"], event["reason"]
                trial.ended = event["time"]
            case "finalists":
                self.finalists = event
            case "winner":
                self.winner = event
            case "warm_start":
                self.warm_start = event
            case "grown":
                for trial in self.trials.values():
                    _grow(trial, event)
                if self.warm_start is not None:
                    self.warm_start = _grow_earlier(self.warm_start, event)
            case "resumed":
                for trial in self.in_state("running"):
                    trial.idle += event["time"] - self._last
        self._last = event.get("time", self._last)

    def in_state(self, *states: State) -> list[TrialRecord]:
        """Returns the trials in one of `states`, by number."""
        return [trial for trial in list(self.trials.values()) if trial.state in states]

    @property
    def began_with(self) -> str:
        """The earlier results in words, empty without any."""
        return "" if self.warm_start is None else in_words(self.warm_start)

    @property
    def points_tried(self) -> int:
        """How many of the spec's points have had their trial."""
        return sum(trial.point is not None for trial in self.trials.values())

    def eligible(self, constraints: Iterable[Constraint] = ()) -> list[TrialRecord]:
        """Returns the complete trials that have a value and keep the constraints, by number."""
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
        """Says why no trial of a study that is over can win."""
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
        found = {
            trial.number: values
            for trial in self.eligible(goals.constraints)
            if (values := goals.values(trial.metrics)) is not None
        }
        return [self.trials[number] for number in goals.front(found)]


def in_words(warm_start: Event) -> str:
    """Says how many results of which study were taken over."""
    left_out = sum(warm_start["left_out"].values())
    others = f" ({left_out} more do not fit)" if left_out else ""
    return f"{len(warm_start['results'])} results of {warm_start['source']}{others}"


def _grow_earlier(warm_start: Event, event: Event) -> Event:
    """Gives earlier results the values that they had in leaves that are searched from now on.

    Where they had other values than this study's, nothing is known of them in the new space.
    """
    if set(warm_start["differs"]) & set(event["fixed"]):
        return warm_start | {"results": []}
    grown = [one | {"params": event["fixed"] | one["params"]} for one in warm_start["results"]]
    return warm_start | {"results": grown}


def _grow(trial: TrialRecord, event: Event) -> None:
    """Gives an earlier trial the values that it had in leaves that are searched from now on."""
    for values in (trial.params, trial.settings):
        values.update({k: v for k, v in event["fixed"].items() if k not in values})
    if event["space"]:
        trial.optuna = {}  # What a sampler kept of the smaller space means nothing in this one.


def _created(event: Event, metric: str) -> TrialRecord:
    return TrialRecord(
        number=event["trial"],
        metric=metric,
        params=dict(event["params"]),
        settings=dict(event["settings"]),
        seeds=event["seeds"],
        total_steps=event["total_steps"],
        reports_planned=event["reports"],
        optuna=event["optuna"],
        created=event["time"],
        point=event.get("point"),
    )
