"""The search space of a study: Optuna's distributions, corners, the grid, the spec of a trial.

Keys are Optuna's parameter names, which `resolve` expects: a leaf's own name, or `bT_ratio`.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from study.errors import InputError
from study.spec.domains import CategoricalDomain, Choice, Domain, IntDomain, parameter_name
from study.spec.goals import ConstraintsSpec
from study.spec.schema import StudySpec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def distributions(spec: StudySpec) -> "dict[str, BaseDistribution]":
    """Returns an Optuna distribution for every domain, in order."""
    return {name: _distribution(domain) for name, domain in _named(spec).items()}


def corners(spec: StudySpec) -> list[dict[str, Choice]]:
    """Returns parameters at the edges of the space, each once.

    All low, all high, and each domain's ends with the others at their middle. Without domains,
    one empty set of parameters.
    """
    ends = {name: _ends(domain) for name, domain in _named(spec).items()}
    middle = {name: mid for name, (_, mid, _) in ends.items()}
    points = [
        {name: low for name, (low, _, _) in ends.items()},
        {name: high for name, (_, _, high) in ends.items()},
    ]
    for name, (low, _, high) in ends.items():
        points += [middle | {name: low}, middle | {name: high}]
    return [point for place, point in enumerate(points) if point not in points[:place]]


def grid(spec: StudySpec) -> dict[str, list[Choice]]:
    """Returns every value of every domain, for the grid sampler.

    Raises:
        InputError: a domain is continuous.
    """
    return {name: _grid_values(name, domain) for name, domain in _named(spec).items()}


def grid_size(spec: StudySpec) -> int:
    """Returns the number of points of the grid."""
    return math.prod(len(values) for values in grid(spec).values())


def planned_trials(spec: StudySpec) -> int:
    """Returns the number of trials of a study: as given, or the size of the grid if smaller.

    A space without domains has one configuration, which is trained once.
    """
    if not spec.domains:
        return 1
    if spec.search.sampler.name == "grid":
        return min(spec.search.trials, grid_size(spec))
    return spec.search.trials


def resolve(
    spec: StudySpec, params: Mapping[str, Choice], seeds: Mapping[str, int] | None = None
) -> StudySpec:
    """Returns the spec of one trial: without domains and points, validated again.

    Args:
        spec: a study, searched or not.
        params: a value for each domain, by `parameter_name`. `bT_ratio` becomes the whole
            number max(1, round(ratio * b0)).
        seeds: of the trial, if they differ from the study's.

    Raises:
        ValueError: a parameter is missing or unknown.
        pydantic.ValidationError: a value that the leaf does not allow.
    """
    domains = spec.domains
    names = {parameter_name(leaf, domain) for leaf, domain in domains.items()}
    if names != set(params):
        raise ValueError(f"parameters must be {sorted(names)}, but got {sorted(params)}")
    values = spec.model_dump()
    for leaf, domain in domains.items():
        values[spec.section_of(leaf)][leaf] = params[parameter_name(leaf, domain)]
    ratio: Any = params.get("bT_ratio")
    if ratio is not None:
        values["adapter"]["bT"] = max(1, round(ratio * values["adapter"]["b0"]))
    if seeds is not None:
        values["seeds"] = dict(seeds)
    values["points"] = ()
    return StudySpec.model_validate(values)


def single_trial(spec: StudySpec) -> StudySpec:
    """Returns a resolved spec as a study of one trial, without scheduler, objectives, probes."""
    search = spec.search.model_copy(update={"trials": 1})
    scheduler = spec.scheduler.model_copy(update={"name": "none", "audit": 0.0})
    choice = {"objectives": (), "constraints": ConstraintsSpec(), "mask_probe": None}
    return spec.model_copy(update={"search": search, "scheduler": scheduler, **choice})


def _named(spec: StudySpec) -> dict[str, Domain]:
    return {parameter_name(leaf, domain): domain for leaf, domain in spec.domains.items()}


def _distribution(domain: Domain) -> "BaseDistribution":
    # Imported here: a bad YAML is reported in less time than the import of optuna takes.
    from optuna import distributions as optuna

    if isinstance(domain, CategoricalDomain):
        return optuna.CategoricalDistribution(domain.choices)
    if isinstance(domain, IntDomain):
        step = domain.step or 1
        return optuna.IntDistribution(domain.low, domain.high, log=domain.log, step=step)
    return optuna.FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def _ends(domain: Domain) -> tuple[Choice, Choice, Choice]:
    if isinstance(domain, CategoricalDomain):
        choices = domain.choices
        return choices[0], choices[len(choices) // 2], choices[-1]
    low, high = domain.low, domain.high
    middle = math.sqrt(low * high) if domain.log else (low + high) / 2
    if domain.step is not None:
        middle = low + domain.step * round((middle - low) / domain.step)
    return low, round(middle) if isinstance(domain, IntDomain) else middle, high


def _grid_values(name: str, domain: Domain) -> list[Choice]:
    if isinstance(domain, CategoricalDomain):
        return list(domain.choices)
    step = domain.step or (1 if isinstance(domain, IntDomain) else None)
    if step is None or domain.log:
        rule = "must be categorical or have a step for the grid sampler"
        raise InputError(f"{name}: {rule}, but got a continuous domain; add a step or choices")
    count = round((domain.high - domain.low) / step) + 1
    return [round(domain.low + step * place, 12) for place in range(count)]
