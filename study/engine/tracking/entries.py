"""The record of a trial as entries of MLflow's requests: metrics and parameters."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from study.storage.events import Report
from study.storage.record import TrialRecord

METRICS_PER_BATCH = 800
"""MLflow accepts 1000 entries per request, including parameters and tags."""


def report_batches(reports: Iterable[Report]) -> Iterator[list[Any]]:
    """Yields the metrics of all reports in as few batches as MLflow accepts, at least one.

    A report is never split: its index, logged with it, marks it as complete.
    """
    batch: list[Any] = []
    for report in reports:
        metrics = metric_entries(
            {**report.metrics, "report": report.report}, report.step, report.time
        )
        if batch and len(batch) + len(metrics) > METRICS_PER_BATCH:
            yield batch
            batch = []
        batch = batch + metrics
    yield batch


def metric_entries(values: dict[str, Any], step: int, time: float) -> list[Any]:
    """Returns the numbers of `values` as metrics, logged at `time` in seconds."""
    from mlflow.entities import Metric

    timestamp = int(time * 1000)
    return [
        Metric(name, float(value), timestamp, step)
        for name, value in values.items()
        if isinstance(value, int | float)
    ]


def param_entries(trial: TrialRecord) -> list[Any]:
    """Returns the parameters, settings, seeds and steps of a trial."""
    from mlflow.entities import Param

    seeds = {f"seed_{name}": seed for name, seed in trial.seeds.items()}
    values = trial.params | trial.settings | seeds | {"total_steps": trial.total_steps}
    return [Param(name, _text(value)) for name, value in values.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
