"""What was asked of the study, and how its trials ended."""

import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from study.analysis.study.reading import StudyData
from study.spec import StudySpec
from study.spec.domains import domain_text
from study.spec.space import trials_wanted
from study.spec.task import GENERATED
from study.storage.record import State

Rows = list[tuple[str, str]]

STATES: dict[State, str] = {
    "complete": "complete",
    "pruned": "stopped early",
    "failed": "failed",
    "running": "unfinished",
}
"""The states of the journal in plain words."""

PACKAGES = ("adalora-rs-study", "torch", "transformers", "ray", "optuna", "mlflow")


@dataclass(frozen=True)
class Failure:
    """Trials that failed for the same reason."""

    reason: str
    trials: list[int]
    traceback: str
    """The first trial's traceback, a file in the study folder; empty without one."""


def asked(spec: StudySpec) -> Rows:
    """Returns the main settings, by section."""
    return [
        ("backbone", _backbone(spec)),
        ("task", _task(spec)),
        ("adapter", _fixed(spec.adapter.model_dump(exclude_none=True), spec)),
        ("training", _fixed(spec.training.model_dump(exclude_none=True), spec)),
        ("search", _search(spec)),
        *_goals(spec),
        ("scheduler", _scheduler(spec)),
        ("finalists", _joined(spec.finalists.model_dump())),
        ("seeds", _joined(spec.seeds.model_dump(), named=True)),
    ]


def warm_start(study: StudyData) -> Rows:
    """Returns which earlier results the sampler began with; nothing without any."""
    event = study.record.warm_start
    if event is None:
        return []
    reasons = [f"{count} left out: {why}" for why, count in event["left_out"].items()]
    differs = [f"not as there: {', '.join(event['differs'])}"] if event["differs"] else []
    count = len(event["results"])
    text = [f"{count} results of {event['source']}, for the sampler alone", *reasons, *differs]
    return [("warm start", "; ".join(text))]


def searched(spec: StudySpec) -> list[tuple[str, str, str]]:
    """Returns name, domain and role of every searched parameter."""
    return [(name, domain_text(d), d.role or "") for name, d in spec.domains.items()]


def counts(study: StudyData) -> list[tuple[State, str, int]]:
    """Returns state, plain words and number of trials for every state."""
    record = study.record
    return [(state, words, len(record.in_state(state))) for state, words in STATES.items()]


def failures(study: StudyData) -> list[Failure]:
    """Returns the failed trials by their reason, the most frequent first."""
    by_reason: dict[str, list[int]] = {}
    for trial in study.record.in_state("failed"):
        reason = trial.reason or "no reason was recorded"
        by_reason.setdefault(reason, []).append(trial.number)
    found = [
        Failure(reason, sorted(numbers), _traceback(study, min(numbers)))
        for reason, numbers in by_reason.items()
    ]
    return sorted(found, key=lambda failure: (-len(failure.trials), failure.trials))


def status(study: StudyData) -> str:
    """Returns whether the study is finished, and what is missing if it is not."""
    wanted, created = trials_wanted(study.spec), len(study.trials)
    running = len(study.record.in_state("running"))
    if created >= wanted and not running:
        if study.record.winner is not None:
            return ""
        if study.leader is None:
            why = study.record.why_no_winner(study.spec.goals)
            return f"The study is over without a winner: {why}."
        return "All trials are over, but the winner has not been evaluated on the test split yet."
    missing = f"{created} of {wanted} trials were started"
    missing += f", {running} of them unfinished" if running else ""
    return f"The study is not finished: {missing}. What follows is what there is so far."


def times(study: StudyData) -> Rows:
    """Returns when the study was opened, its last event, and when this page was made."""
    rows = [("page made", _utc(time.time()))]
    if study.events:
        first, last = study.events[0]["time"], study.events[-1]["time"]
        rows = [("study opened", _utc(first)), ("last event", _utc(last)), *rows]
    return rows


def versions(study: StudyData) -> Rows:
    """Returns the versions the study was opened with, else those installed where this runs."""
    if study.created_with:
        return [(name, str(value)) for name, value in study.created_with.items()]
    return [("python", python_version()), *((name, _version(name)) for name in PACKAGES)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _traceback(study: StudyData, trial: int) -> str:
    file = study.folder.failure(trial)
    return str(file.relative_to(study.folder.path)) if file.is_file() else ""


def _backbone(spec: StudySpec) -> str:
    """Where weights come from is said where it matters: of random ones, with their seed."""
    usual = {"weights", "weights_seed"} if spec.backbone.random_seed is None else set()
    return _joined(spec.backbone.model_dump(exclude_none=True, exclude=usual))


def _task(spec: StudySpec) -> str:
    task = spec.task
    if task.name == GENERATED:
        sizes = f"train={task.train}, dev={task.dev}, test={task.test}, seed={task.seed}"
        text = f"{task.name} (generated: {sizes})"
    elif task.name is None:
        text = str(task.path)
    else:
        at = f" at {task.revision}" if task.revision else ""
        text = f"{task.name} (from {task.path or 'the hub'}{at})"
        if task.name.startswith("nt/"):
            text += f", dev cut from train with seed={task.seed}"
    text += f", max_length={task.max_length}" if task.max_length else ""
    text += f", dedup={task.dedup}, rc_augment={task.augments_rc}, rc_average={task.averages_rc}"
    return text


def _search(spec: StudySpec) -> str:
    search = spec.search
    better = "the smaller the better" if search.metric == "loss" else "the larger the better"
    metric = f"metric={search.metric} on dev ({better})"
    given = search.sampler.model_dump(exclude_defaults=True, exclude={"name"})
    sampler = f"sampler={search.sampler.name}" + (f" ({_joined(given, True)})" if given else "")
    return f"{metric}, {sampler}, trials={search.trials}, seed={search.seed}"


def _goals(spec: StudySpec) -> Rows:
    """What was asked beside the score, and what was tried first; nothing where nothing was."""
    rows = [
        ("objectives", ", ".join(spec.objectives)),
        ("constraints", ", ".join(map(str, spec.goals.constraints))),
        ("points", "; ".join(_joined(point, named=True) for point in spec.points)),
    ]
    return [(name, text) for name, text in rows if text]


def _scheduler(spec: StudySpec) -> str:
    if spec.scheduler.name == "none":
        return "none: every trial runs to its end"
    return _joined(spec.scheduler.model_dump())


def _fixed(values: dict[str, Any], spec: StudySpec) -> str:
    """The method, then what is not searched."""
    method = [str(values.pop("method"))] if "method" in values else []
    fixed = {name: value for name, value in values.items() if name not in spec.domains}
    return ", ".join([*method, *([_joined(fixed, True)] if fixed else [])])


def _joined(values: dict[str, Any], named: bool = False) -> str:
    """`name` bare unless `named`, the others as key=value."""
    return ", ".join(
        _value(v) if k == "name" and not named else f"{k}={_value(v)}" for k, v in values.items()
    )


def _value(value: Any) -> str:
    return " ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
