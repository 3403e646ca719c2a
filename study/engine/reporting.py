"""A report as Ray carries it from a worker to the driver, and back."""

from typing import Any


def result_of(report: int, step: int, metrics: dict[str, Any], objective: str) -> dict[str, Any]:
    """Returns a report as Ray carries it: our metrics under a prefix, and the deciding one."""
    result = {f"metrics/{name}": value for name, value in metrics.items()}
    result[objective] = metrics.get(objective, float("nan"))
    return {"report": report, "step": step, **result}


def metrics_of(result: dict[str, Any]) -> dict[str, Any]:
    """Takes our metrics out of Ray's result again."""
    prefix = "metrics/"
    return {k.removeprefix(prefix): v for k, v in result.items() if k.startswith(prefix)}
