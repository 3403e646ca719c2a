"""What the trials of a space would do, known before any of them runs.

A forecast is the plan and the parameter counts of one point of the space.
"""

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
