"""The snapshot of a folder: what terminal, `study.status` and its JSON show."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from study.storage.events import Value
from study.storage.result.fields import Headline, Light
from study.storage.result.time_left import TimeLeft

Kind = Literal["study", "race", "benchmark", "comparison"]
Phase = Literal["search", "race", "winner", "audit", "runs", "finished", "failed"]
"""What is done now: the trials of the search, the race of the finalists, the evaluation of the
winner, the runs of a benchmark or a comparison, or nothing any more; `failed`: no trial can win.
"""


@dataclass(frozen=True)
class Rung:
    """A report at which trials may be stopped."""

    report: int
    """From 1."""
    passed: int
    stopped: int
    cutoff: float | None
    """The score that the last trial was compared with; None if with none."""


@dataclass(frozen=True)
class Running:
    """A trial or run that trains now."""

    trial: int
    labels: Mapping[str, Value]
    """The settings of a trial, the labels of a run."""
    reports: int
    planned: int
    """How many reports there will be, unless it is stopped."""
    curve: list[float | None]
    """The objective of each report that has it; None where it is not finite."""
    seconds: float
    """Since it was created."""
    stalled_minutes: float | None
    """For how long its worker has given no sign of life; None if it works."""


@dataclass(frozen=True)
class Ended:
    """A trial or run that has ended."""

    trial: int
    state: str
    labels: Mapping[str, Value]
    reports: int
    planned: int
    score: float | None
    reason: str
    time: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Group:
    """The runs of one configuration, or of one cell of a benchmark."""

    label: str
    ended: int
    failed: int
    mean: float | None
    """Of the objective; None without a complete run."""
    deviation: float | None
    """Standard deviation; None with fewer than two complete runs."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a folder at one time."""

    kind: Kind
    name: str
    phase: Phase
    metric: str
    """The objective, e.g. dev_mcc."""
    planned: int
    """Trials or runs that are asked for; of a race up to its last round."""
    counts: Mapping[str, int]
    """Trials or runs by state: complete, stopped_early, failed, running."""
    began: float | None
    """Time of the first event, in seconds since the epoch; None without one."""
    last_event: float | None
    seconds: float
    """From the first event to now, or to the last event of a finished study."""
    per_hour: float | None
    """Trials or runs that end in an hour; None before the first."""
    time_left: TimeLeft | None
    """None while too little is known, and of a finished study."""
    peak_memory_gib: float | None
    """The largest of all reports."""
    headline: Headline | None = None
    """Of a study: the winner, or the best trial so far; None without a complete trial."""
    health: tuple[Light, ...] = ()
    """Of a study: the checks that say something, the worst first."""
    rungs: list[Rung] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    """The latest first."""
    failures: dict[str, list[int]] = field(default_factory=dict)
    """Reason -> trials that failed for it."""
    groups: list[Group] = field(default_factory=list)
    """Of runs; empty of a study."""
    race: "Snapshot | None" = None
    """The race of a study's finalists; None before it begins."""
    silent: float | None = None
    """Seconds since the last sign of life of driver or workers; None if that was not looked for,
    and of a finished study."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more, unless the study is extended."""
        return self.phase in ("finished", "failed")

    @property
    def over(self) -> int:
        """The number of trials or runs that have ended."""
        return sum(count for state, count in self.counts.items() if state != "running")

    def as_json(self) -> dict[str, Any]:
        """Returns the fields as they are written to JSON."""
        return asdict(self)
