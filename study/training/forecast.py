"""Plans and parameter counts at the corners of a space, before anything is trained."""

from dataclasses import dataclass
from typing import Any

from adapters import ParameterCount
from study.models import Backbone
from study.spec import AdaLoraRSSpec, AdaLoraSpec, LoraSpec, StudySpec, resolve
from study.spec.space import corners
from study.training.methods import count_trained
from study.training.plan import TrainingPlan, make_plan


@dataclass(frozen=True)
class Forecast:
    """Plan and parameter counts of one point of a space."""

    params: dict[str, Any]
    spec: StudySpec
    plan: TrainingPlan
    parameters: ParameterCount


def forecast(spec: StudySpec, train_rows: int, empty: Backbone) -> list[Forecast]:
    """Returns the forecasts of the corners of a space, of equal plans and counts only the first.

    `empty` is the backbone without weights (on the meta device).
    """
    forecasts: dict[Any, Forecast] = {}
    for params in corners(spec):
        resolved = resolve(spec, params)
        plan = make_plan(resolved, train_rows, adapted_matrices(resolved, empty))
        point = Forecast(params, resolved, plan, count_trained(resolved, empty, plan.total_steps))
        forecasts.setdefault((plan, point.parameters), point)
    return list(forecasts.values())


def adapted_matrices(spec: StudySpec, backbone: Backbone) -> int:
    """Returns the number of adapted weight matrices; 0 for methods without adapters."""
    adapter = spec.adapter
    if isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec | LoraSpec):
        if adapter.rank_pattern is not None:
            return sum(rank > 0 for _, rank in adapter.rank_pattern)
        return int(backbone.info.layers * len(adapter.matrices))
    return 0
