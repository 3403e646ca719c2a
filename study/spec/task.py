"""The `task` section, which selects the labelled sequences, and the names of known tasks."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from study.spec.leaves import Count, Seed, Text
from study.spec.rules import Section, quoted, refusal, refuse, suggestion

GENERATED = "promoters"
HISTONES = (
    "H3", "H3K14ac", "H3K36me3", "H3K4me1", "H3K4me2", "H3K4me3", "H3K79me3", "H3K9ac", "H4",
    "H4ac",
)  # fmt: skip
SUBSETS = ("all", "notata", "tata")
NT_PROMOTERS = ("promoter_all", "promoter_no_tata", "promoter_tata")
PUBLISHED = (
    *(f"emp/{mark}" for mark in HISTONES),
    *(f"prom/{subset}" for subset in SUBSETS),
    *(f"prom_core/{subset}" for subset in SUBSETS),
    *(f"nt/{name}" for name in (*HISTONES, *NT_PROMOTERS)),
)
"""Tasks from the hub or a local copy; study/tasks/published/ describes each."""
_SUMMARY = (
    f"{GENERATED}, emp/MARK and nt/MARK for {', '.join(HISTONES)},"
    f" prom/ and prom_core/ {'|'.join(SUBSETS)}, nt/{'|'.join(NT_PROMOTERS)}"
)


def _known(name: str) -> str:
    if name != GENERATED and name not in PUBLISHED:
        near = suggestion(name, (GENERATED, *PUBLISHED)) or (
            f"; known: {_SUMMARY}; for other data write path: FOLDER"
        )
        raise refusal(f"must be a known task, but got {quoted(name)}{near}")
    return name


TaskName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": [GENERATED, *PUBLISHED]}),
]

STRANDLESS = ("emp/", "nt/H")
"""Prefixes of the names of tasks on histone marks."""


Share = Annotated[float, Field(gt=0, lt=1)]


class SplitSpec(Section):
    """How one file is split, or which splits are drawn from the rows of train."""

    dev: Share | None = None
    """Share of train's rows that become dev; None: dev is in the data."""
    test: Share | None = None
    seed: Seed = 0
    """Seed of the draw."""
    column: Text | None = None
    """Column of a single file with train, dev and test. None: `split`, if the file has it."""

    @property
    def shares(self) -> dict[str, float]:
        """The shares of the splits that are drawn, by name."""
        shares = {"dev": self.dev, "test": self.test}
        return {name: share for name, share in shares.items() if share is not None}

    @model_validator(mode="after")
    def _draws_or_names(self) -> Self:
        if not self.shares and self.column is None:
            refuse((), "must have dev, test or column, but got none of them; e.g. {dev: 0.1}")
        if sum(self.shares.values()) >= 1:
            rule = "dev and test must leave rows for train"
            refuse((), f"{rule}, but got {self.dev:g} and {self.test:g}; lower them")
        return self


class TaskSpec(Section):
    """The labelled sequences: generated or published (`name`), or a user's own (`path`)."""

    name: TaskName | None = None
    """`promoters` (generated), or a published task, from the hub or from a copy at `path`."""
    path: Annotated[Path, Field(strict=False)] | None = None
    """A folder with a table for each split, or one table; with the name of a published task also
    a folder of the whole collection. Made absolute when read."""
    revision: Text | None = None
    """Commit of the data set on the hub. None: the newest, or the one in the cache."""
    train: Count = 3000
    """Sequences to generate; train, dev and test are only for the generated task."""
    dev: Count = 750
    test: Count = 750
    seed: Seed = 0
    """Seed of the generated sequences, and of the dev split cut from train in nt/ tasks."""
    max_length: Count | None = None
    """Maximum length in tokens; longer sequences are truncated. None: nothing is truncated."""
    sequence_column: Text = "sequence"
    label_column: Text = "label"
    split: SplitSpec | None = None
    """Splits of a user's own data that are drawn by shares, or the split column of one file."""
    dedup: Literal["none", "drop_from_train"] = "none"
    """drop_from_train: removes rows of train that are in dev or test on either strand, that have
    conflicting labels, or that repeat a row of train. Dev and test are unchanged."""
    rc_augment: bool | None = None
    """Whether training draws one of the two strands of a row at random. None: if `strandless`."""
    rc_average: bool | None = None
    """Whether evaluation averages class probabilities over both strands. None: if `strandless`."""

    @property
    def label(self) -> str:
        """The name of the task, or that of the user's own folder or file."""
        return self.path.name if self.name is None and self.path is not None else str(self.name)

    @property
    def strandless(self) -> bool:
        """Whether a sequence and its reverse complement have the same label, by the task's name.

        A histone mark covers both strands of its window. A promoter has a direction: its window
        follows transcription, and its elements have fixed positions relative to the start site.
        """
        return str(self.name).startswith(STRANDLESS)

    @property
    def augments_rc(self) -> bool:
        """`rc_augment`, or its default."""
        return self.strandless if self.rc_augment is None else self.rc_augment

    @property
    def averages_rc(self) -> bool:
        """`rc_average`, or its default."""
        return self.strandless if self.rc_average is None else self.rc_average

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = _with_split(given)
        name, path = given.get("name"), given.get("path")
        if name is None and path is None:
            given = given | {"name": GENERATED}
        if path is not None and name == GENERATED:
            rule = f"must be left out with the name {GENERATED}, a generated task"
            refuse(("path",), f"{rule}, but got {quoted(path)}; remove name or path", path)
        if given.get("split") is not None and (path is None or name is not None):
            rule = "must be left out unless the data are a file or folder of your own"
            refuse(("split",), f"{rule}, but got {quoted(given['split'])}; remove it", given)
        revision = given.get("revision")
        if revision is not None and (path is not None or given["name"] == GENERATED):
            rule = "must be left out for a task that is not from the hub"
            refuse(("revision",), f"{rule}, but got {quoted(revision)}; remove it", revision)
        return given


def _with_split(given: dict[str, Any]) -> dict[str, Any]:
    """Returns the section with `split_column`, which stored specs have, as part of `split`."""
    column = given.get("split_column", "split")
    given = {key: value for key, value in given.items() if key != "split_column"}
    if column == "split" or given.get("path") is None or given.get("name") is not None:
        return given
    return {"split": {"column": column}} | given
