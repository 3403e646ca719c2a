"""A comparison: configurations by label, and the seeds that each of them is run with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from study.errors import InputError
from study.spec.leaves import Seed
from study.spec.loading import dump_document, read_document, spec_document
from study.spec.rules import Section
from study.spec.schema import SeedsSpec, StudySpec
from study.spec.yaml.messages import input_error

FIRST_SEED = 2000
"""How far the first fresh seed lies above the study's own, which a search goes on from."""
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1)]


class FactorSeeds(Section):
    """The seeds of each stream, crossed: every one with every one of the others."""

    mask: Seeds
    init: Seeds
    data: Seeds

    @classmethod
    def fresh(cls, beside: SeedsSpec, mask: int, init: int, data: int) -> "FactorSeeds":
        """The first so many of a fixed sequence of each stream, apart from a study's own."""
        counts = {"mask": mask, "init": init, "data": data}
        return cls(
            **{
                stream: tuple(
                    (getattr(beside, stream) + FIRST_SEED + place) % 2**32
                    for place in range(count)
                )
                for stream, count in counts.items()
            }
        )


class ComparisonSpec(Section):
    """A whole comparison, as asked for: of one task and one backbone."""

    configurations: Annotated[dict[str, StudySpec], Field(min_length=1)]
    """By label: a study of one trial each, whose own seeds mean nothing here."""
    seeds: FactorSeeds

    @property
    def first(self) -> StudySpec:
        """The configuration that is asked about."""
        return next(iter(self.configurations.values()))


def check_comparable(configurations: Mapping[str, StudySpec]) -> None:
    """Refuses configurations of different tasks, backbones or metrics, and of the same settings.

    Raises:
        InputError: names the two configurations.
    """
    (label, first), *others = configurations.items()
    for other, spec in others:
        for what in ("task", "backbone", "search.metric"):
            mine, theirs = _part(first, what), _part(spec, what)
            if mine != theirs:
                raise InputError(
                    f"{other}: {what} must be that of {label}, {_shown(mine)}, but is "
                    f"{_shown(theirs)}; compare it in a folder of its own (--name), and analyse "
                    "the folders together"
                )
    seen: dict[str, str] = {}
    for label, spec in configurations.items():
        settings = repr((spec.adapter, spec.training))
        if settings in seen:
            raise InputError(
                f"{label}: configurations must differ, but all its settings are those of "
                f"{seen[settings]}; leave one out"
            )
        seen[settings] = label


def dump_comparison(spec: ComparisonSpec) -> str:
    """YAML text from which `load_comparison` reads an equal comparison."""
    document = CommentedMap()
    document["configurations"] = CommentedMap(
        {label: spec_document(alone) for label, alone in spec.configurations.items()}
    )
    document["seeds"] = CommentedMap()
    for factor, seeds in spec.seeds:
        document["seeds"][factor] = CommentedSeq(seeds)
        document["seeds"][factor].fa.set_flow_style()
    return dump_document(document)


def load_comparison(file: Path) -> ComparisonSpec:
    """The comparison that a spec.yaml asks for.

    Raises:
        InputError: it is none.
    """
    document = read_document(file, str(file))
    try:
        return ComparisonSpec.model_validate(document.values)
    except ValidationError as error:
        raise input_error(error, document) from error


def is_comparison(file: Path) -> bool:
    """Whether a YAML file is there and asks for a comparison; a race has no fixed `seeds`.

    Raises:
        InputError: the file is no mapping.
    """
    return file.is_file() and {"configurations", "seeds"} <= set(
        read_document(file, str(file)).values
    )


def _part(spec: StudySpec, what: str) -> object:
    section, _, leaf = what.partition(".")
    part = getattr(spec, section)
    return getattr(part, leaf) if leaf else part


def _shown(part: object) -> str:
    if not isinstance(part, Section):
        return str(part)
    said = part.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return ", ".join(f"{name} {value}" for name, value in said.items()) or "the default"
