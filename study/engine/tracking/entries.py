"""The record of a trial as entries of MLflow's requests: metrics, parameters and tags."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from study.storage.events import Report
from study.storage.record import TrialRecord
from study.storage.result.words import STATE_WORDS

METRICS_PER_BATCH = 800
"""MLflow accepts 1000 entries per request, including parameters and tags."""
SCORE = "score"
"""The metric by which runs are sorted: the objective after the whole training."""


def report_batches(reports: Iterable[Report]) -> Iterator[list[Any]]:
    """Yields the metrics of all reports in as few batches as MLflow accepts, at least one.

    A report is never split: its index, logged with it, marks it as complete.
    """
    batch: list[Any] = []
    for report in reports:
        system = {f"system/{name}": value for name, value in (report.system or {}).items()}
        metrics = metric_entries(
            {**report.metrics, **system, "report": report.report}, report.step, report.time
        )
        if batch and len(batch) + len(metrics) > METRICS_PER_BATCH:
            yield batch
            batch = []
        batch = batch + metrics
    yield batch


def metric_entries(values: Mapping[str, Any], step: int, time: float) -> list[Any]:
    """Returns the numbers of `values` as metrics, logged at `time` in seconds."""
    from mlflow.entities import Metric

    timestamp = int(time * 1000)
    return [
        Metric(name, float(value), timestamp, step)
        for name, value in values.items()
        if isinstance(value, int | float)
    ]


def score_entries(trial: TrialRecord) -> list[Any]:
    """Returns the score of a complete trial; stopped ones have none, as they were not finished."""
    if trial.state != "complete" or trial.value is None:
        return []
    return metric_entries({SCORE: trial.value}, trial.reports[-1].step, trial.ended or 0)


def param_entries(trial: TrialRecord, shared: Mapping[str, str] | None = None) -> list[Any]:
    """Returns the parameters, settings, seeds and steps of a trial, after what all runs share."""
    seeds = {f"seed_{name}": seed for name, seed in trial.seeds.items()}
    values = {
        **(shared or {}),
        **trial.params,
        **trial.settings,
        **seeds,
        "total_steps": trial.total_steps,
    }
    return text_entries(values)


def text_entries(values: Mapping[str, Any]) -> list[Any]:
    """Returns values as parameters."""
    from mlflow.entities import Param

    return [Param(name, _text(value)) for name, value in values.items()]


def end_tags(trial: TrialRecord) -> dict[str, str]:
    """Returns how and why a trial ended; empty while it runs."""
    if trial.state == "running":
        return {}
    reason = {"reason": trial.reason} if trial.reason else {}
    return {"state": STATE_WORDS[trial.state], **reason}


def tag_entries(values: Mapping[str, str]) -> list[Any]:
    """Returns values as tags."""
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in values.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
