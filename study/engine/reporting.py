"""Conversion between the metrics of a report and a result of Ray Tune, which is flat."""

from collections.abc import Mapping
from typing import Any

METRICS, SYSTEM = "metrics/", "system/"


def result_of(report: int, step: int, metrics: dict[str, Any], objective: str) -> dict[str, Any]:
    """Returns Ray's result of a report: metrics with a prefix, the objective without it too."""
    result = {f"{METRICS}{name}": value for name, value in metrics.items()}
    result[objective] = metrics.get(objective, float("nan"))
    return {"report": report, "step": step, **result}


def system_result(use: Mapping[str, float]) -> dict[str, float]:
    """Returns the use of a worker's machine as a part of a result."""
    return {f"{SYSTEM}{name}": value for name, value in use.items()}


def metrics_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the metrics of a result made by `result_of`."""
    return _with_prefix(METRICS, result)


def system_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the use of the worker's machine in a result; empty without it."""
    return _with_prefix(SYSTEM, result)


def _with_prefix(prefix: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in result.items() if k.startswith(prefix)}
