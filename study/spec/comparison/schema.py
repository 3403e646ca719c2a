"""The spec.yaml of a comparison: configurations by label, and the seeds each of them is run with.

The race of a study's finalists is a comparison whose seeds are not fixed in advance: its spec.yaml
has configurations only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from study.errors import InputError
from study.spec.leaves import Seed, Seeds
from study.spec.loading import dump_document, read_document, spec_document
from study.spec.methods import add_absent
from study.spec.rules import Section
from study.spec.schema import SeedsSpec, StudySpec
from study.spec.yaml.messages import input_error

FACTORS = ("mask", "init", "data")
"""The seeds that a comparison varies, in the order of table columns and keys of runs."""
FIRST_SEED = 2000
"""Offset of the first seed from the study's own, from which the seeds of trials count up."""


class FactorSeeds(Section):
    """The seeds of each factor. They are crossed: every combination is run."""

    mask: Seeds
    init: Seeds
    data: Seeds

    @classmethod
    def fresh(cls, study: SeedsSpec, mask: int, init: int, data: int) -> "FactorSeeds":
        """Returns the first seeds of a fixed sequence for each factor, distinct from the study's.

        Args:
            study: the seeds of the study.
            mask: number of mask seeds.
            init: number of init seeds.
            data: number of data seeds.
        """
        counts = {"mask": mask, "init": init, "data": data}
        return cls(
            **{
                factor: tuple(
                    (getattr(study, factor) + FIRST_SEED + place) % 2**32 for place in range(count)
                )
                for factor, count in counts.items()
            }
        )


class ConfigurationsSpec(Section):
    """Configurations of one task and one backbone; without `seeds`, the spec of a race."""

    configurations: Annotated[dict[str, StudySpec], Field(min_length=1)]
    """By label: a study of one trial each. The seeds in it are not used."""

    @property
    def first(self) -> StudySpec:
        """The configuration that the others are compared with."""
        return next(iter(self.configurations.values()))


class ComparisonSpec(ConfigurationsSpec):
    """Configurations that are run with crossed seeds."""

    seeds: FactorSeeds
    lottery: Seed | None = None
    """Seed of the random ranks of `study.seeds --lottery`, whose question is answered apart."""


Spec = TypeVar("Spec", bound=ConfigurationsSpec)


def is_masked(spec: StudySpec) -> bool:
    """Whether the mask of a configuration is random, so that the mask seed has an effect."""
    p, back = getattr(spec.adapter, "p", 0.0), getattr(spec.adapter, "p_reintroduce", None)
    return bool(p or back)


def count_runs(spec: ComparisonSpec) -> int:
    """Returns the number of runs: a configuration without a random mask has no mask seeds."""
    masks = sum(len(spec.seeds.mask) if is_masked(s) else 1 for s in spec.configurations.values())
    return masks * len(spec.seeds.init) * len(spec.seeds.data)


def check_comparable(configurations: Mapping[str, StudySpec]) -> None:
    """Checks that configurations have the same task, backbone and metric, and different settings.

    Raises:
        InputError: two configurations break this; both are named.
    """
    (label, first), *others = configurations.items()
    for other, spec in others:
        for what in ("task", "backbone", "search.metric"):
            expected, given = _part(first, what), _part(spec, what)
            if expected != given:
                raise InputError(
                    f"{other}: {what} must be that of {label}, {_part_text(expected)}, but got "
                    f"{_part_text(given)}; compare it in a separate folder (--name) and analyse "
                    "the folders together (--analyse)"
                )
    seen: dict[str, str] = {}
    for label, spec in configurations.items():
        settings = repr((spec.adapter, spec.training))
        if settings in seen:
            raise InputError(
                f"{label}: configurations must differ, but got the settings of "
                f"{seen[settings]} again; leave one out"
            )
        seen[settings] = label


def dump_comparison(spec: ConfigurationsSpec) -> str:
    """Returns YAML text from which an equal spec is loaded."""
    document = CommentedMap()
    document["configurations"] = CommentedMap(
        {label: spec_document(one) for label, one in spec.configurations.items()}
    )
    if isinstance(spec, ComparisonSpec):
        if spec.lottery is not None:
            document["lottery"] = spec.lottery
        document["seeds"] = CommentedMap()
        for factor, seeds in spec.seeds:
            document["seeds"][factor] = CommentedSeq(seeds)
            document["seeds"][factor].fa.set_flow_style()
    return dump_document(document)


def load_comparison(file: Path) -> ComparisonSpec:
    """Returns the comparison that a spec.yaml asks for.

    Raises:
        InputError: the file is not the spec of a comparison.
    """
    return _load(file, ComparisonSpec)


def load_configurations(file: Path) -> ConfigurationsSpec:
    """Returns the spec of a comparison, or of a race if the file has no `seeds`.

    Raises:
        InputError: the file is neither.
    """
    has_seeds = "seeds" in read_document(file, str(file)).values
    return _load(file, ComparisonSpec if has_seeds else ConfigurationsSpec)


def is_comparison(file: Path) -> bool:
    """Returns whether a YAML file exists and is the spec of a comparison, with fixed seeds.

    Raises:
        InputError: the file is not a mapping.
    """
    return file.is_file() and {"configurations", "seeds"} <= set(
        read_document(file, str(file)).values
    )


def _load(file: Path, kind: type[Spec]) -> Spec:
    document = read_document(file, str(file))
    configurations = document.values.get("configurations")
    for spec in configurations.values() if isinstance(configurations, dict) else ():
        if isinstance(spec, dict):
            add_absent(spec.get("adapter"))
    try:
        return kind.model_validate(document.values)
    except ValidationError as error:
        raise input_error(error, document) from error


def _part(spec: StudySpec, what: str) -> object:
    section, _, leaf = what.partition(".")
    part = getattr(spec, section)
    return getattr(part, leaf) if leaf else part


def _part_text(part: object) -> str:
    if not isinstance(part, Section):
        return str(part)
    given = part.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "the default"
