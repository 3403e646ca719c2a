"""The events of a journal: a frozen class each, whose fields are those of a line of events.jsonl.

A line is a JSON object with `event`, `time` and the fields below, in this order. Fields that are
`ABSENT` are not in the line. `trial` counts from 0; `report`, `step` and `attempt` from 1, `step`
in optimizer steps. Numbers that are not finite are null. All events are of journal version 1,
which has gained fields: those marked "added later" are absent in older journals.
"""

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypedDict

VERSION = 1
"""The journal version that is written; a journal of a later one is refused."""

State = Literal["running", "complete", "pruned", "failed"]
"""The state of a trial; `pruned` by ASHA. A trial is `running` until its event `ended`."""
EndState = Literal["complete", "pruned", "failed"]
Verdict = Literal["continue", "stop", "complete", "fail"]

# The annotation names the least and the largest value; see `study.storage.parsing`.
Index = Annotated[int, 0, 10**12]
PositiveInt = Annotated[int, 1, 10**12]
Duration = Annotated[float, 0, 10**12]
Value = bool | int | float | str | None
"""Of a parameter, a setting or a label."""
MetricValues = Mapping[str, float | None]
"""Metric -> value; None if it is not finite."""


class Absent(enum.Enum):
    """The value of a field that a line does not have; false, as an empty value is."""

    ABSENT = "absent"

    def __bool__(self) -> Literal[False]:
        return False


ABSENT = Absent.ABSENT


class SplitTokenFacts(TypedDict):
    """Tokens per sequence of one split; see `study.training.token_report`."""

    mean: float
    longest: Index
    truncated: float
    unknown: float


class TokenFacts(TypedDict):
    """The token report of a task."""

    max_length: Index
    measured: bool
    splits: Mapping[str, SplitTokenFacts]


class SplitQualityFacts(TypedDict):
    """The quality of one split; see `study.tasks.quality`."""

    rows: PositiveInt
    class_rows: Sequence[Index]
    gc_mean: Sequence[float | None]
    gc_sd: Sequence[float | None]
    bases: tuple[Index, float, Index]
    copies: Index
    reverse_copies: Index
    conflicts: Index


class SharedFacts(TypedDict):
    """The sequences that two splits share."""

    same: Index
    reverse: Index


class AssignmentFacts(TypedDict, total=False):
    """How rows were drawn from train; see `study.tasks.assignment`."""

    values: Mapping[str, Mapping[str, Index]]
    groups: Mapping[str, Index]
    sha256: str


class NearFacts(TypedDict, total=False):
    """Rows with near copies by split, or the bases that were too many to look for them."""

    train: Index
    dev: Index
    test: Index
    bases_not_searched: Index
    k: Index
    jaccard: float


class QualityFacts(TypedDict, total=False):
    """The quality report of a task."""

    splits: Mapping[str, SplitQualityFacts]
    shared: Mapping[str, SharedFacts]
    conflicts: Index
    dropped: Mapping[str, Index]
    drawn: Mapping[str, Index]
    """Added later."""
    classes: Sequence[str]
    """Added later."""
    assignment: AssignmentFacts
    """Added later."""
    rna: Mapping[str, Index]
    """Added later."""
    near: NearFacts
    """Added later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What all events have."""

    event: ClassVar[str]
    """The event's name in the journal."""
    time: Duration = 0.0
    """Seconds since the epoch, set by the journal when it writes the event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownEvent(Event):
    """An event of a name that this version does not know; it changes nothing."""

    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyOpened(Event):
    """The first event of a journal, also of a benchmark's and a comparison's."""

    event: ClassVar[str] = "study"
    version: PositiveInt = VERSION
    name: str | Absent = ABSENT
    spec: str | Absent = ABSENT
    """The name of the spec's file."""
    data: str | Absent = ABSENT
    """The fingerprint of the tokenised data, added later; a benchmark has `DataRead` instead."""
    backbone: str | Absent | None = ABSENT
    """The fingerprint of the backbone's settings and weights; None for random weights. Added
    later."""
    commit: str | Absent | None = ABSENT
    """Of a backbone of the hub; None for a local one. Added later."""
    tokens: TokenFacts | Absent = ABSENT
    """The token report of the data. Added later."""
    quality: QualityFacts | Absent = ABSENT
    """The quality report of the data. Added later."""
    baselines: Mapping[str, MetricValues] | Absent = ABSENT
    """Baseline (majority, gc, kmer) -> its scores on dev and test. Added later."""
    tracking: str | Absent | None = ABSENT
    """MLflow's address; None for a database in the study folder. Added later."""
    created_with: Mapping[str, str] | Absent = ABSENT
    """Distribution -> version, of this package and those that results depend on. Added later."""
    machine: Mapping[str, str] | Absent = ABSENT
    """The driver's: system, cpu, cores, memory, gpus, as people read them. Added later."""
    experiment: str | Absent = ABSENT
    """The name of MLflow's experiment. Added later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BaselineMeasured(Event):
    """A baseline that takes long has been measured beside the trials."""

    event: ClassVar[str] = "baseline"
    name: str
    scores: MetricValues
    """On dev and test."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyResumed(Event):
    """A later run of the driver begins."""

    event: ClassVar[str] = "resumed"
    version: PositiveInt | Absent = ABSENT
    """Added later."""
    tracking: str | Absent | None = ABSENT
    """As in `StudyOpened`. Added later."""
    created_with: Mapping[str, str] | Absent = ABSENT
    """As in `StudyOpened`. Added later."""
    machine: Mapping[str, str] | Absent = ABSENT
    """As in `StudyOpened`. Added later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyGrown(Event):
    """The study has more trials, points or a wider space from now on."""

    event: ClassVar[str] = "grown"
    trials: PositiveInt
    changes: Sequence[str]
    """For people, as `search.trials: 6 -> 9`."""
    spec: str
    """The YAML as it is from now on."""
    fixed: Mapping[str, Value]
    """Parameter -> the value that earlier trials had of what is searched only now."""
    space: bool
    """Whether a domain has grown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierTrial:
    """A trial of an earlier study, in terms of this study's space and goals."""

    trial: Index
    """Its number there."""
    params: Mapping[str, Value]
    state: Literal["complete", "pruned"]
    values: Sequence[float] | None
    """Of the objectives; None if it was pruned."""
    steps: Sequence[tuple[Index, float]]
    """[step, score] of its reports."""
    violations: Mapping[str, float]
    """Metric -> by how much its constraint is broken, as a share of the bound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmStart(Event):
    """The sampler begins with the results of an earlier study."""

    event: ClassVar[str] = "warm_start"
    source: str
    """The earlier study's folder."""
    results: Sequence[EarlierTrial]
    left_out: Mapping[str, Index]
    """Reason -> number of trials that are not among the results."""
    differs: Sequence[str]
    """Settings with another value there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialCreated(Event):
    """A trial, or a run of a benchmark or comparison, exists."""

    event: ClassVar[str] = "created"
    trial: Index
    params: Mapping[str, Value]
    """The sampler's values by parameter name; of a run its labels."""
    point: Index | Absent | None = ABSENT
    """The index of the spec's point, added later; None without one, absent of a run."""
    settings: Mapping[str, Value]
    """The resolved values by leaf name."""
    seeds: Mapping[str, Index]
    """Seed by stream: init, data, mask."""
    total_steps: PositiveInt
    reports: PositiveInt
    """The number of reports that are planned."""
    optuna: Mapping[str, Mapping[str, Any]]
    """The sampler's own attributes: of the `trial` and of the `study`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report(Event):
    """The metrics of a trial after an interval of steps."""

    event: ClassVar[str] = "report"
    trial: Index
    report: PositiveInt
    step: PositiveInt
    metrics: MetricValues
    system: MetricValues | Absent = ABSENT
    """The use of the machine by and beside the worker since the last report. Added later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialCrashed(Event):
    """A trial's worker crashed; the trial is tried again unless `TrialEnded` follows."""

    event: ClassVar[str] = "crashed"
    trial: Index
    attempt: Index
    """How many attempts have failed so far; a lost node is not counted."""
    fault: bool
    """Whether the trial raised an error, in contrast to the end of its process."""
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStalled(Event):
    """A trial's worker gives no sign of life, or gives one again."""

    event: ClassVar[str] = "stalled"
    trial: Index
    minutes: Duration
    """The time without a sign so far; 0 if there has been one again."""
    limit: Duration
    """The minutes after which the worker is killed and the trial tried again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialWarning(Event):
    """Something went wrong that does not change results."""

    event: ClassVar[str] = "warning"
    trial: Index
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision(Event):
    """The scheduler's decision after a report."""

    event: ClassVar[str] = "decision"
    trial: Index
    report: PositiveInt
    decision: Verdict
    reason: str
    cutoff: float | None
    """The score that the report was compared with, None if with none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialEnded(Event):
    """A trial is over."""

    event: ClassVar[str] = "ended"
    trial: Index
    state: EndState
    reason: str
    value: float | Absent | None = ABSENT
    """The objective at the last report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialAudited(Event):
    """A trial that was stopped early has been trained to its end; see `study.storage.auditing`."""

    event: ClassVar[str] = "audited"
    trial: Index
    step: Index
    """At its end."""
    metrics: MetricValues
    """Of its last report."""
    reason: str
    """Why it failed; empty if it is complete."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaceDecided(Event):
    """The race has chosen the winner, whose scores are not yet measured."""

    event: ClassVar[str] = "finalists"
    candidates: Sequence[Index]
    """Trials, the best in the search first."""
    rounds: Sequence[Sequence[Index]]
    """The trials of each round, the best first."""
    winner: Index


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateScores:
    """The scores of a trial in the race."""

    trial: Index
    search: float
    """Its score in the search."""
    fresh: Sequence[float | None]
    """Its scores with fresh seeds, None for a run that failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaceResult:
    """A race that is over, and the scores that are reported of its winner."""

    candidates: Sequence[CandidateScores]
    rounds: Sequence[Sequence[Index]]
    seeds: Sequence[Mapping[str, Index]]
    """Of the runs that report the winner's scores, seed by stream."""
    failed: Index
    """How many of these runs failed."""
    dev: Mapping[str, Sequence[float | None]]
    """Metric -> one value per run that reports the winner's scores."""
    test: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class WinnerEvaluated(Event):
    """The winner's weights, in best/, have been evaluated on dev and test."""

    event: ClassVar[str] = "winner"
    trial: Index
    dev: MetricValues
    test: MetricValues
    race: RaceResult | Absent | None = ABSENT
    """How it was chosen; None without a race. Added later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFacts:
    """One task as one backbone reads it."""

    backbone: str
    task: str
    settings: Mapping[str, Any]
    """Of the task."""
    commit: str | None
    """Of a backbone of the hub; None for a local one."""
    fingerprint: str
    reports: Mapping[str, Any]
    """The reports on its quality and tokens."""
    weights: str | Absent | None = ABSENT
    """The fingerprint of the backbone's settings and weights; None for random weights. Added
    later."""

    @property
    def key(self) -> str:
        """Identifies backbone and task with its settings."""
        return json.dumps([self.backbone, self.task, self.settings], sort_keys=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRead(Event):
    """A benchmark's driver has read the data."""

    event: ClassVar[str] = "data"
    tasks: Sequence[DataFacts]
    unavailable: Mapping[str, str]
    """Cell -> why it cannot be run."""


def tracking_of(events: Iterable[Event]) -> str | Absent | None:
    """Returns MLflow's address as it was last journalled; None for the study folder."""
    address: str | Absent | None = ABSENT
    for event in events:
        if isinstance(event, StudyOpened | StudyResumed) and event.tracking is not ABSENT:
            address = event.tracking
    return address


def opened_by(events: Iterable[Event]) -> StudyOpened | None:
    """Returns the event that opened a study, None if the journal lacks it."""
    return next((event for event in events if isinstance(event, StudyOpened)), None)
