"""Conversion between the metrics of a report and a result of Ray Tune."""

from typing import Any


def result_of(report: int, step: int, metrics: dict[str, Any], objective: str) -> dict[str, Any]:
    """Returns Ray's result of a report: metrics with a prefix, the objective without it too."""
    result = {f"metrics/{name}": value for name, value in metrics.items()}
    result[objective] = metrics.get(objective, float("nan"))
    return {"report": report, "step": step, **result}


def metrics_of(result: dict[str, Any]) -> dict[str, Any]:
    """Returns the metrics of a result made by `result_of`."""
    prefix = "metrics/"
    return {k.removeprefix(prefix): v for k, v in result.items() if k.startswith(prefix)}
