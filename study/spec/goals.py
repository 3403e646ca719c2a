"""Objectives and constraints of a study.

Both are texts about a metric that trials report: `maximize dev_mcc`, and for the metric
`peak_memory_gib` the text `<= 16`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from typing_extensions import override

from study.spec.metrics import METRICS as SCORES
from study.spec.rules import Section, quoted, refusal, refuse, suggestion

METRICS = (
    *(f"dev_{metric}" for metric in SCORES),
    "trainable_parameters",
    "adapter_parameters",
    "kept_parameters",
    "peak_memory_gib",
    "train_seconds",
)
"""The metrics of a report that objectives and constraints may name."""
SETTLED = ("trainable_parameters", "adapter_parameters", "peak_memory_gib", "train_seconds")
"""Those of them that never decrease while a trial trains."""
DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True)
class Objective:
    """A metric and the direction in which it improves."""

    metric: str
    maximize: bool

    @override
    def __str__(self) -> str:
        return f"{DIRECTIONS[not self.maximize]} {self.metric}"


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric."""

    metric: str
    sign: str
    bound: float

    def violation(self, value: float | None) -> float:
        """Returns the excess of `value` over the bound, relative to the bound; <= 0 if satisfied.

        Relative, so that constraints on parameters and on seconds are comparable. 1 for None, a
        metric that was not measured.
        """
        if value is None:
            return 1.0
        over = value - self.bound if self.sign == "<=" else self.bound - value
        return over / (abs(self.bound) or 1.0)

    @property
    def settles(self) -> bool:
        """Whether a trial that violates it once violates it to the end, also if it is stopped."""
        return self.metric in SETTLED and self.sign == "<="

    @override
    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {number_text(self.bound)}"


@dataclass(frozen=True)
class Goals:
    """Objectives, of which the first is the score, and constraints."""

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]

    @property
    def metrics(self) -> list[str]:
        """The metrics of all objectives and constraints, the score first."""
        goals: list[Objective | Constraint] = [*self.objectives, *self.constraints]
        return list(dict.fromkeys(goal.metric for goal in goals))

    def values(self, metrics: Mapping[str, Any]) -> list[float] | None:
        """Returns the value of every objective; None if one was not measured."""
        values = [metrics.get(objective.metric) for objective in self.objectives]
        return None if None in values else [float(value) for value in values]  # type: ignore[arg-type]

    def violation(self, metrics: Mapping[str, Any]) -> float:
        """Returns the sum of the violations of all constraints; satisfied ones count 0."""
        return sum(max(0.0, c.violation(metrics.get(c.metric))) for c in self.constraints)

    def broken(self, metrics: Mapping[str, Any]) -> list[str]:
        """Returns a text for each violated constraint: the measured value and the bound."""
        measured = [(c, metrics.get(c.metric)) for c in self.constraints]
        return [
            f"{c.metric} {number_text(value)} against {number_text(c.bound)}"
            for c, value in measured
            if c.violation(value) > 0
        ]

    def front(self, values: Mapping[int, list[float]]) -> list[int]:
        """Returns the trial numbers of the Pareto front.

        Sorted by the first objective, best first, then by the next ones, then by number.
        """
        signs = [-1 if objective.maximize else 1 for objective in self.objectives]
        costs = {n: [s * v for s, v in zip(signs, values[n], strict=True)] for n in values}
        front: list[int] = []
        # In this order a trial comes after every trial that dominates it.
        for number in sorted(costs, key=lambda n: (costs[n], n)):
            if not any(_dominates(costs[other], costs[number]) for other in front):
                front.append(number)
        return front


def _dominates(costs: list[float], others: list[float]) -> bool:
    return costs != others and all(a <= b for a, b in zip(costs, others, strict=True))


def number_text(value: float | None) -> str:
    """Returns a value for people: whole numbers with thousands separators, others in 4 digits."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if value == round(value) else f"{value:.4g}"


def _objective(given: object) -> str:
    direction, _, metric = str(given).strip().partition(" ")
    metric = metric.strip()
    if not isinstance(given, str) or direction not in DIRECTIONS or not metric:
        raise refusal(
            "must be `maximize` or `minimize` and a metric, as in `minimize "
            f"trainable_parameters`, but got {quoted(given)}"
        )
    if metric not in METRICS:
        hint = suggestion(metric, METRICS) or f"; known metrics: {', '.join(METRICS)}"
        raise refusal(f"must name a known metric, but got {quoted(metric)}{hint}")
    return f"{direction} {metric}"


_BOUND = re.compile(r"(<=|>=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


def _bound(given: object) -> str:
    match = _BOUND.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None or not math.isfinite(float(match[2])):
        raise refusal(f'must be a bound such as "<= 16" or ">= 0.5", but got {quoted(given)}')
    return f"{match[1]} {match[2]}"


ObjectiveText = Annotated[
    str,
    PlainValidator(_objective),
    WithJsonSchema({"enum": [f"{d} {metric}" for metric in METRICS for d in DIRECTIONS]}),
]
Bound = (
    Annotated[
        str,
        PlainValidator(_bound),
        WithJsonSchema({"type": "string", "pattern": rf"^\s*{_BOUND.pattern}\s*$"}),
    ]
    | None
)


class ConstraintsSpec(Section):
    """Bounds that the winner must satisfy, by metric: `peak_memory_gib: "<= 16"`."""

    dev_mcc: Bound = None
    dev_auc: Bound = None
    dev_f1: Bound = None
    dev_accuracy: Bound = None
    dev_loss: Bound = None
    dev_f1_macro: Bound = None
    dev_f1_weighted: Bound = None
    dev_auprc: Bound = None
    dev_brier: Bound = None
    dev_ece: Bound = None
    trainable_parameters: Bound = None
    adapter_parameters: Bound = None
    kept_parameters: Bound = None
    peak_memory_gib: Bound = None
    train_seconds: Bound = None

    @property
    def given(self) -> tuple[Constraint, ...]:
        """The constraints, in the order of the fields."""
        texts = {metric: text.split() for metric, text in self if text is not None}
        return tuple(Constraint(m, sign, float(bound)) for m, (sign, bound) in texts.items())


def read_objectives(texts: tuple[str, ...]) -> tuple[Objective, ...]:
    """Returns the objectives of checked texts."""
    pairs = [text.split() for text in texts]
    return tuple(Objective(metric, direction == "maximize") for direction, metric in pairs)


def check_objectives(objectives: tuple[Objective, ...], score: Objective) -> None:
    """Checks that the metrics differ and that the first objective is the score.

    Raises:
        pydantic.ValidationError: a metric is given twice, or the first objective is not the score.
    """
    for place, objective in enumerate(objectives):
        if objective.metric in [other.metric for other in objectives[:place]]:
            text = f"metrics must differ, but got {objective.metric} twice; remove one"
            refuse(("objectives", place), text, str(objective))
    if objectives and objectives[0] != score:
        text = (
            f"the first must be `{score}`, as search.metric is {score.metric.removeprefix('dev_')}"
        )
        refuse(("objectives", 0), f"{text}, but got {objectives[0]}; change one of the two")
