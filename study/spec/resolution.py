"""Parameters suggested for one trial -> the study with every domain replaced by its value."""

from collections.abc import Mapping
from typing import Any

from study.spec.domains import Choice, parameter_name
from study.spec.goals import ConstraintsSpec
from study.spec.schema import StudySpec


def resolve(
    spec: StudySpec, params: Mapping[str, Choice], seeds: Mapping[str, int] | None = None
) -> StudySpec:
    """The spec of one trial: no domains left and no points, checked again.

    Args:
        spec: a study, searched or not.
        params: a value for each domain, by `parameter_name`. `bT_ratio` becomes the whole
            number max(1, round(ratio * b0)).
        seeds: the trial's own, where they are not the study's.

    Raises:
        ValueError: a parameter is missing or unknown.
        pydantic.ValidationError: a value that the leaf does not allow.
    """
    domains = spec.domains
    wanted = {parameter_name(leaf, domain) for leaf, domain in domains.items()}
    if wanted != set(params):
        raise ValueError(f"parameters must be {sorted(wanted)}, but got {sorted(params)}")
    values = spec.model_dump()
    for leaf, domain in domains.items():
        section = values["adapter" if leaf in values["adapter"] else "training"]
        section[leaf] = params[parameter_name(leaf, domain)]
    ratio: Any = params.get("bT_ratio")
    if ratio is not None:
        values["adapter"]["bT"] = max(1, round(ratio * values["adapter"]["b0"]))
    if seeds is not None:
        values["seeds"] = dict(seeds)
    values["points"] = ()
    return StudySpec.model_validate(values)


def alone(spec: StudySpec) -> StudySpec:
    """Returns a resolved spec as a study of one trial, with no choice."""
    search = spec.search.model_copy(update={"trials": 1})
    scheduler = spec.scheduler.model_copy(update={"name": "none"})
    choice = {"objectives": (), "constraints": ConstraintsSpec()}
    return spec.model_copy(update={"search": search, "scheduler": scheduler, **choice})
