"""The answers of several studies, and whether their scores can be compared."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.analysis.study.answer import METRICS, shown3
from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING, duration, short
from study.spec import CategoricalDomain, method_label
from study.spec.task import GENERATED
from study.storage.result import Estimate


@dataclass(frozen=True)
class Line:
    """One study in the table."""

    name: str
    link: str
    """Its report, relative to the page."""
    backbone: str
    task: str
    method: str
    trials: int
    complete: int
    stopped: int
    failed: int
    dev: str
    test: str
    how: str
    """Which runs the scores are of."""
    as_good: str
    time: str


def lines(studies: Sequence[StudyData], page: Path) -> list[Line]:
    """Returns one line for each study, those with the best score on test first."""
    called = names(studies)
    return [_line(study, called[study.folder.path], page) for study in in_order(studies)]


def names(studies: Sequence[StudyData]) -> dict[Path, str]:
    """Returns folder -> the study's name, with its parent folder's if two have the same."""
    counts = Counter(study.name for study in studies)
    return {
        study.folder.path: study.name
        if counts[study.name] == 1
        else f"{study.folder.path.parent.name}/{study.folder.path.name}"
        for study in studies
    }


def in_order(studies: Sequence[StudyData]) -> list[StudyData]:
    """Returns the studies, the best on test first; those without such a score last, by name."""

    def place(study: StudyData) -> tuple[bool, float, str]:
        best = study.result.headline
        one = best.score(study.result.test_metric) if best else None
        sign = -1 if study.result.maximize else 1
        return (one is None, sign * one.mean if one else 0.0, study.name)

    return sorted(studies, key=place)


def differences(studies: Sequence[StudyData]) -> list[str]:
    """Returns why scores of these studies cannot be compared, a sentence each; [] if they can."""
    found = []
    metrics = {study.result.test_metric for study in studies}
    if len(metrics) > 1:
        found.append(f"The studies are of different metrics: {', '.join(sorted(metrics))}.")
    data = {study.opened.data for study in studies if study.opened and study.opened.data}
    tasks = {task_name(study) for study in studies}
    if len(tasks) > 1:
        found.append(f"The studies are of different tasks: {', '.join(sorted(tasks))}.")
    elif len(data) > 1:
        text = "The sequences or their tokens differ between the studies, as their fingerprints do"
        found.append(f"{text}: compare scores only if the backbones alone explain it.")
    if any(study.result.phase != "finished" for study in studies):
        open_ = [study.name for study in studies if study.result.phase != "finished"]
        found.append(f"Not finished, with the results so far: {', '.join(open_)}.")
    single = [s.name for s in studies if s.result.headline and not s.result.headline.confirmed]
    if single:
        text = "Of one run each, so that differences may be those of seeds"
        found.append(f"{text}: {', '.join(single)}.")
    return found


def scores(studies: Sequence[StudyData]) -> dict[str, list[Any]]:
    """Returns the scores of all studies by column: split, mean and its two intervals."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("study", "split", "mean", "low", "high", "rows_low", "rows_high")
    }
    called = names(studies)
    for study in in_order(studies):
        result = study.result
        for split, name in (("test", result.test_metric), ("dev", result.metric)):
            one = result.headline.score(name) if result.headline else None
            if one is None:
                continue
            half = one.sampling_half_width
            ends = (None, None) if half is None else (one.mean - half, one.mean + half)
            values = (called[study.folder.path], split, one.mean, one.low, one.high, *ends)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    return columns


def ranges(studies: Sequence[StudyData]) -> dict[str, list[Any]]:
    """Returns each study's winning value of each searched number, and the range as good.

    `tried_low` and `tried_high` are the ends of the values that were tried; `log`: of a domain
    that is searched on a logarithmic scale.
    """
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("setting", "study", "winner", "low", "high", "tried_low", "tried_high", "log")
    }
    called = names(studies)
    for study in in_order(studies):
        best = study.result.headline
        if best is None:
            continue
        numbers = (best.trial, *(study.result.as_good or ()))
        good = [study.record.trials[number].settings for number in numbers]
        for leaf, domain in study.spec.domains.items():
            tried = _numbers([trial.settings.get(leaf) for trial in study.trials])
            chosen = _numbers([settings.get(leaf) for settings in good])
            if not chosen or not isinstance(best.settings.get(leaf), int | float):
                continue
            log = not isinstance(domain, CategoricalDomain) and domain.log
            ends = (min(chosen), max(chosen), min(tried), max(tried))
            values = (leaf, called[study.folder.path], best.settings[leaf], *ends, log)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    return columns


def task_name(study: StudyData) -> str:
    """Returns the name of a study's task, or its path."""
    task = study.spec.task
    if task.name == GENERATED:
        return f"{task.name} ({task.train} train, seed {task.seed})"
    return task.name or str(task.path)


def _line(study: StudyData, name: str, page: Path) -> Line:
    result = study.result
    best = result.headline
    how = NOTHING
    if best is not None:
        count = next(iter(best.dev.values())).count if best.dev else 1
        how = f"{count} fresh seeds" if best.confirmed else "one run"
    good = NOTHING if result.as_good is None else str(len(result.as_good))
    took = None if result.began is None or result.last is None else result.last - result.began
    return Line(
        name=name,
        link=Path(os.path.relpath(study.folder.report, page.parent)).as_posix(),
        backbone=str(study.spec.backbone.name),
        task=task_name(study),
        method=method_label(study.spec.adapter),
        trials=len(result.trials),
        complete=len(result.in_state("complete")),
        stopped=len(result.in_state("pruned")),
        failed=len(result.in_state("failed")),
        dev=_text(best.score(result.metric) if best else None),
        test=_text(best.score(result.test_metric) if best else None),
        how=how,
        as_good=good,
        time=NOTHING if took is None else duration(took),
    )


def _text(one: Estimate | None) -> str:
    if one is None:
        return NOTHING
    if one.low is None or one.high is None:
        return shown3(one.mean)
    return f"{shown3(one.mean)} ({shown3(one.low)} to {shown3(one.high)})"


def metric_name(studies: Sequence[StudyData]) -> str:
    """Returns the name of the metric, as people read it."""
    name = studies[0].spec.search.metric
    return METRICS.get(name, name)


def settings_table(studies: Sequence[StudyData]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Returns the names of the studies, and each setting with its value in every winner."""
    ordered = in_order(studies)
    leaves = dict.fromkeys(leaf for study in ordered for leaf in study.spec.domains)
    rows = [(leaf, [_value(study, leaf) for study in ordered]) for leaf in leaves]
    called = names(studies)
    return [called[study.folder.path] for study in ordered], rows


def _value(study: StudyData, leaf: str) -> str:
    best = study.result.headline
    if best is not None and leaf in best.settings:
        return short(best.settings[leaf])
    fixed = getattr(study.spec.adapter, leaf, getattr(study.spec.training, leaf, None))
    return NOTHING if fixed is None or leaf in study.spec.domains else f"{short(fixed)}, fixed"


def _numbers(values: Sequence[Any]) -> list[float]:
    return [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
