"""What the trials of a space would do, known before any of them runs.

A forecast is the plan and the parameter counts of one point of the space; `warnings` says which
settings are doubtful.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters import ParameterCount
from study.models import Backbone
from study.spec import AdaLoraRSSpec, AdaLoraSpec, LoraSpec, StudySpec, resolve
from study.spec.space import corners
from study.training.methods import count
from study.training.plan import Plan, make_plan


@dataclass(frozen=True)
class Forecast:
    """One point of the space."""

    params: dict[str, Any]
    spec: StudySpec
    plan: Plan
    parameters: ParameterCount


def forecast(spec: StudySpec, train_rows: int, empty: Backbone) -> list[Forecast]:
    """Returns the forecasts of the space's corners, those with equal plans and counts once.

    `empty` is the backbone without weights (on the meta device).
    """
    found: dict[Any, Forecast] = {}
    for params in corners(spec):
        resolved = resolve(spec, params)
        plan = make_plan(resolved, train_rows, matrices(resolved, empty))
        point = Forecast(params, resolved, plan, count(resolved, empty))
        found.setdefault((plan, point.parameters), point)
    return list(found.values())


def matrices(spec: StudySpec, backbone: Backbone) -> int:
    """Returns how many weight matrices get an adapter: 0 without adapters."""
    adapter = spec.adapter
    if isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec | LoraSpec):
        return int(backbone.info.layers * len(adapter.matrices))
    return 0


def warnings(points: Sequence[Forecast], rungs: Sequence[int]) -> list[str]:
    """Returns what deserves a loud word: rungs that compare trials before any was pruned."""
    found = []
    for point in points:
        budget = point.plan.budget
        if budget is None or not rungs:
            continue
        step = point.plan.report_steps[rungs[0] - 1]
        first = budget.events()[0][0]
        if step < first:
            where = f" where {_settings(point.params)}" if point.params else ""
            found.append(
                f"the first rung (report {rungs[0]}, step {step}) comes before the first mask "
                f"event (step {first}){where}: trials are stopped there "
                "before p, b0, bT, deltaT or the betas had any effect; raise "
                "scheduler.grace_fraction or lower deltaT"
            )
    return found[:1]


def _settings(params: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in params.items()
    )
