"""Settings of a study, states of its trials, times, machine and software versions."""

import time
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from study.analysis.study.reading import StudyData
from study.analysis.text import duration
from study.spec import StudySpec
from study.spec.domains import domain_text
from study.spec.rank_pattern import shortened
from study.spec.task import GENERATED
from study.storage.events import State, StudyOpened, StudyResumed
from study.storage.result.words import STATE_WORDS

Rows = list[tuple[str, str]]

PACKAGES = ("adalora-rs-study", "torch", "transformers", "ray", "optuna", "mlflow")


def settings(spec: StudySpec) -> Rows:
    """Returns (section, settings on one line) for the main sections of the spec."""
    return [
        ("backbone", _backbone(spec)),
        ("task", _task(spec)),
        ("adapter", _fixed(shortened(spec.adapter.model_dump(exclude_none=True)), spec)),
        ("training", _fixed(spec.training.model_dump(exclude_none=True), spec)),
        ("search", _search(spec)),
        *_goals(spec),
        ("scheduler", _scheduler(spec)),
        ("finalists", _joined(spec.finalists.model_dump())),
        ("seeds", _joined(spec.seeds.model_dump(), named=True)),
    ]


def warm_start(study: StudyData) -> Rows:
    """Returns a row on the earlier results that the sampler started with; [] without any."""
    event = study.record.warm_start
    if event is None:
        return []
    reasons = [f"{count} left out: {why}" for why, count in event.left_out.items()]
    differs = [f"settings that differ: {', '.join(event.differs)}"] if event.differs else []
    count = len(event.results)
    text = [f"{count} results of {event.source}, used only by the sampler", *reasons, *differs]
    return [("warm start", "; ".join(text))]


def searched(spec: StudySpec) -> list[tuple[str, str, str]]:
    """Returns (name, domain, role) of every searched parameter."""
    return [(name, domain_text(d), d.role or "") for name, d in spec.domains.items()]


def counts(study: StudyData) -> list[tuple[State, str, int]]:
    """Returns (state, its name, number of trials) for every state."""
    record = study.record
    return [(state, name, len(record.in_state(state))) for state, name in STATE_WORDS.items()]


def times(study: StudyData) -> Rows:
    """Returns the times at which the study was opened, of its last event, and of this page."""
    rows = [("page made", _utc(time.time()))]
    if study.events:
        first, last = study.events[0].time, study.events[-1].time
        rows = [("study opened", _utc(first)), ("last event", _utc(last)), *rows]
    return rows


def durations(study: StudyData) -> Rows:
    """Returns how long the search and its trials took; [] before the first trial has ended."""
    ended = [trial for trial in study.trials if trial.seconds is not None and trial.ended]
    if not ended:
        return []
    begin = min(trial.created for trial in study.trials)
    search = max(trial.ended or 0.0 for trial in ended) - begin
    rows = [("search", duration(search))]
    complete = sorted(t.seconds or 0.0 for t in ended if t.state == "complete")
    if complete:
        low, middle, high = complete[0], complete[len(complete) // 2], complete[-1]
        text = f"{duration(middle)} in the middle, {duration(low)} to {duration(high)}"
        rows.append(("a complete trial", text))
    steps = sum(trial.reports[-1].step for trial in ended if trial.reports)
    trained = sum(trial.metrics.get("train_seconds") or 0.0 for trial in ended)
    if steps and trained:
        rows.append(("a training step", f"{1000 * trained / steps:.0f} ms on average"))
    memory = max((trial.metrics.get("peak_memory_gib") or 0.0 for trial in ended), default=0.0)
    return [*rows, ("peak memory of a trial", f"{memory:.2f} GiB")] if memory else rows


def machines(study: StudyData) -> Rows:
    """Returns the driver's machine when the study was opened, and those it was resumed on."""
    rows: Rows = []
    for event in study.events:
        if isinstance(event, StudyOpened | StudyResumed) and event.machine:
            text = ", ".join(f"{value}" for value in event.machine.values() if value)
            if not rows or rows[-1][1] != text:
                rows.append(("machine, resumed on" if rows else "machine", text))
    return rows


def versions(study: StudyData) -> Rows:
    """Returns the software versions recorded with the study, else those installed here."""
    if study.created_with:
        return [(name, str(value)) for name, value in study.created_with.items()]
    return [("python", python_version()), *((name, _version(name)) for name in PACKAGES)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _backbone(spec: StudySpec) -> str:
    """Returns the backbone's settings; the source of the weights only if they are random."""
    usual = {"weights", "weights_seed"} if spec.backbone.random_seed is None else set()
    usual |= {leaf for leaf in spec.domains if spec.section_of(leaf) == "backbone"}
    usual |= {"pooling"} - spec.backbone.changed.keys()
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
    if task.split is not None:
        split = task.split.model_dump(exclude_none=True, exclude={"seed"})
        if task.split.shares:
            split["seed"] = task.split.seed
        text += f", split: {_joined(split)}"
    text += f", max_length={task.max_length}" if task.max_length else ""
    text += f", dedup={task.dedup}, rc_augment={task.augments_rc}, rc_average={task.averages_rc}"
    return text


def _search(spec: StudySpec) -> str:
    search = spec.search
    better = "larger is better" if spec.goals.objectives[0].maximize else "smaller is better"
    metric = f"metric={search.metric} on dev ({better})"
    given = search.sampler.model_dump(exclude_defaults=True, exclude={"name"})
    sampler = f"sampler={search.sampler.name}" + (f" ({_joined(given, True)})" if given else "")
    return f"{metric}, {sampler}, trials={search.trials}, seed={search.seed}"


def _goals(spec: StudySpec) -> Rows:
    """Returns rows on the objectives, the constraints and the points tried first, if set."""
    rows = [
        ("objectives", ", ".join(spec.objectives)),
        ("constraints", ", ".join(map(str, spec.goals.constraints))),
        ("points", "; ".join(_joined(point, named=True) for point in spec.points)),
    ]
    return [(name, text) for name, text in rows if text]


def _scheduler(spec: StudySpec) -> str:
    if spec.scheduler.name == "none":
        return "none (every trial trains to its end)"
    return _joined(spec.scheduler.model_dump())


def _fixed(values: dict[str, Any], spec: StudySpec) -> str:
    """Returns the method, then the settings that are not searched."""
    method = [str(values.pop("method"))] if "method" in values else []
    fixed = {name: value for name, value in values.items() if name not in spec.domains}
    return ", ".join([*method, *([_joined(fixed, True)] if fixed else [])])


def _joined(values: dict[str, Any], named: bool = False) -> str:
    """Joins values as key=value; `name` without its key unless `named`."""
    return ", ".join(
        _value(v) if k == "name" and not named else f"{k}={_value(v)}" for k, v in values.items()
    )


def _value(value: Any) -> str:
    return " ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
