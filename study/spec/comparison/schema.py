"""The spec.yaml of a comparison: configurations by label, and the seeds each of them is run with.

Two designs, each for its question:

    pairs        Is a better than b? Run i of every configuration has the i-th seed of each factor.
                 All pairs of runs have fresh seeds, so that they are independent
    components   Which seeds cause the variance? Every combination of the seeds, of the first
                 configuration only

A comparison has one of them or both. Comparisons of earlier versions have `seeds` instead, every
combination of them for all configurations. The race of a study's finalists is a comparison whose
seeds are not fixed in advance: its spec.yaml has configurations only.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from study.errors import InputError
from study.spec.leaves import Seed, Seeds
from study.spec.loading import dump_document, read_document, spec_document
from study.spec.methods import add_absent
from study.spec.rules import Section, refuse
from study.spec.schema import SeedsSpec, StudySpec
from study.spec.yaml.messages import input_error

FACTORS = ("mask", "init", "data")
"""The seeds that a comparison varies, in the order of table columns and keys of runs."""
DESIGNS = ("pairs", "components", "seeds")
"""Keys of a comparison's spec.yaml that hold seeds; a race has none of them."""
SeedKey = tuple[int | None, int, int]
"""Mask seed, None without a random mask; init seed; data seed."""
FIRST_SEED = 2000
"""Offset of the first seed from the study's own, from which the seeds of trials count up."""


class FactorSeeds(Section):
    """The seeds of each factor: crossed, or the i-th of each for run i."""

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

    def resized(self, count: int) -> "FactorSeeds":
        """Returns `count` seeds of every factor, those after the last one counting up."""
        return FactorSeeds(
            **{
                factor: seeds[:count]
                + tuple((seeds[-1] + n + 1) % 2**32 for n in range(count - len(seeds)))
                for factor, seeds in self
            }
        )

    @property
    def crossed(self) -> list[SeedKey]:
        """Every combination, the mask seed changing fastest."""
        return [
            (mask, init, data) for data, init, mask in product(self.data, self.init, self.mask)
        ]

    @property
    def parallel(self) -> list[SeedKey]:
        """The i-th seed of each factor, for every i."""
        return list(zip(self.mask, self.init, self.data, strict=True))


class ConfigurationsSpec(Section):
    """Configurations of one task and one backbone; without `seeds`, the spec of a race."""

    configurations: Annotated[dict[str, StudySpec], Field(min_length=1)]
    """By label: a study of one trial each. The seeds in it are not used."""

    @property
    def first(self) -> StudySpec:
        """The configuration that the others are compared with."""
        return next(iter(self.configurations.values()))


class ComparisonSpec(ConfigurationsSpec):
    """Configurations and the seeds with which they are run."""

    pairs: FactorSeeds | None = None
    """Fresh seeds of every run, the same for all configurations; the lists are equally long."""
    components: FactorSeeds | None = None
    """Crossed seeds of the first configuration."""
    seeds: FactorSeeds | None = None
    """Crossed seeds of all configurations, in comparisons of earlier versions."""
    lottery: Seed | None = None
    """Seed of the random ranks of `study.seeds --lottery`, whose question is answered apart."""

    @model_validator(mode="after")
    def _one_design(self) -> "ComparisonSpec":
        if (self.seeds is None) == (self.pairs is None and self.components is None):
            both = "both" if self.seeds else "neither"
            text = f"must be given without pairs and components, or these instead, but got {both}"
            refuse(("seeds",), f"{text}; restore the file", self.seeds)
        if self.pairs is not None:
            counts = {len(seeds) for _, seeds in self.pairs}
            if len(counts) > 1:
                numbers = ", ".join(f"{len(seeds)} {name}" for name, seeds in self.pairs)
                text = f"must have as many seeds of every factor, but got {numbers}"
                refuse(("pairs",), f"{text}; restore the file", numbers)
        return self

    def planned(self) -> Iterator[tuple[str, SeedKey]]:
        """Yields the label and the seeds of every run in the order of training, each run once.

        Mask is None for a configuration without a random mask. Pairs come first, one after
        another, so that an interrupted comparison has complete ones.
        """
        first = next(iter(self.configurations))
        every = list(self.configurations)
        given = [(key, every) for key in (self.pairs.parallel if self.pairs else ())]
        given += [(key, [first]) for key in (self.components.crossed if self.components else ())]
        runs = [(label, key) for key, labels in given for label in labels]
        if self.seeds is not None:
            runs += _in_blocks(self.seeds, every)
        masked = {label: is_masked(spec) for label, spec in self.configurations.items()}
        yield from dict.fromkeys(
            (label, key if masked[label] else (None, *key[1:])) for label, key in runs
        )


def _in_blocks(seeds: FactorSeeds, labels: list[str]) -> list[tuple[str, SeedKey]]:
    """Every configuration with one init and one data seed, then the next block."""
    return [
        (label, (mask, init, data))
        for data, init, label, mask in product(seeds.data, seeds.init, labels, seeds.mask)
    ]


Spec = TypeVar("Spec", bound=ConfigurationsSpec)


def is_masked(spec: StudySpec) -> bool:
    """Whether the mask of a configuration is random, so that the mask seed has an effect."""
    p, back = getattr(spec.adapter, "p", 0.0), getattr(spec.adapter, "p_reintroduce", None)
    return bool(p or back)


def count_runs(spec: ComparisonSpec) -> int:
    """Returns the number of runs: a configuration without a random mask has no mask seeds."""
    return sum(1 for _ in spec.planned())


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
        for name in DESIGNS:
            for factor, seeds in getattr(spec, name) or ():
                own = document.setdefault(name, CommentedMap())
                own[factor] = CommentedSeq(seeds)
                own[factor].fa.set_flow_style()
    return dump_document(document)


def load_comparison(file: Path) -> ComparisonSpec:
    """Returns the comparison that a spec.yaml asks for.

    Raises:
        InputError: the file is not the spec of a comparison.
    """
    return _load(file, ComparisonSpec)


def load_configurations(file: Path) -> ConfigurationsSpec:
    """Returns the spec of a comparison, or of a race if the file has no seeds.

    Raises:
        InputError: the file is neither.
    """
    has_seeds = any(name in read_document(file, str(file)).values for name in DESIGNS)
    return _load(file, ComparisonSpec if has_seeds else ConfigurationsSpec)


def is_comparison(file: Path) -> bool:
    """Returns whether a YAML file exists and is the spec of a comparison, with fixed seeds.

    Raises:
        InputError: the file is not a mapping.
    """
    if not file.is_file():
        return False
    keys = set(read_document(file, str(file)).values)
    return "configurations" in keys and not keys.isdisjoint(DESIGNS)


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
