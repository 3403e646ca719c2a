"""The `task` section, which selects the labelled sequences, and the names of known tasks."""

from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

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
    "splice/reconstructed",
    *(f"nt/{name}" for name in (*HISTONES, *NT_PROMOTERS)),
)
"""Tasks from the hub or a local copy; study/tasks/published/ describes each."""
_SUMMARY = (
    f"{GENERATED}, emp/MARK and nt/MARK for {', '.join(HISTONES)},"
    f" prom/ and prom_core/ {'|'.join(SUBSETS)}, splice/reconstructed, nt/{'|'.join(NT_PROMOTERS)}"
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


class ColumnsSpec(Section):
    """The names of the columns of a table, and of the fields in the headers of FASTA files."""

    sequence: Text = "sequence"
    """In FASTA the sequence has this name too."""
    label: Text = "label"
    """FASTA: the field `label=..` of a header; with a parenthesis a regular expression, whose
    group is the label."""
    id: Text = "id"
    """The name of a sequence, in FASTA the first word of its header. Tables need none."""


def _share_or_values(given: object) -> float | tuple[str, ...] | None:
    if given is None or (isinstance(given, float) and 0 < given < 1):
        return given
    if isinstance(given, list | tuple) and given and all(map(_is_value, given)):
        values = tuple(map(str, given))
        if len(set(values)) == len(values):
            return values
    rule = "must be a share of train in (0, 1), or a list of different values of column"
    raise refusal(f"{rule}, but got {quoted(given)}; e.g. 0.1 or [chr8]")


def _is_value(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


Part = Annotated[
    float | tuple[str, ...] | None,
    PlainValidator(_share_or_values, json_schema_input_type=float | list[str | int] | None),
    PlainSerializer(lambda part: part, return_type=Any),  # The default warns of JSON's lists.
]


class SplitSpec(Section):
    """How rows of train become dev and test, or which column of a table names the splits."""

    dev: Part = None
    """What becomes dev: a share of the rows, or the rows with one of these values of `column`.
    None: dev is in the data."""
    test: Part = None
    seed: Seed = 0
    """Seed of the draw by shares."""
    column: Text | None = None
    """Column that dev and test have values of; if they have none, of a single file with train,
    dev and test. None: `split`, if the file has it."""
    group: Text | None = None
    """Column whose values stay together when dev and test are drawn by shares."""

    @property
    def shares(self) -> dict[str, float]:
        """The shares of the splits that are drawn, by name."""
        parts = {"dev": self.dev, "test": self.test}
        return {name: part for name, part in parts.items() if isinstance(part, float)}

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The values of `column` whose rows are a split, by its name."""
        parts = {"dev": self.dev, "test": self.test}
        return {name: part for name, part in parts.items() if isinstance(part, tuple)}

    @model_validator(mode="after")
    def _draws_or_names(self) -> Self:
        if not self.shares and not self.values and self.column is None:
            refuse((), "must have dev, test or column, but got none of them; e.g. {dev: 0.1}")
        if sum(self.shares.values()) >= 1:
            rule = "dev and test must leave rows for train"
            refuse((), f"{rule}, but got {self.dev:g} and {self.test:g}; lower them")
        if self.values and self.column is None:
            name, values = next(iter(self.values.items()))
            rule = f"must be there with values in {name}"
            refuse(("column",), f"{rule}, but got only {quoted(list(values))}; add e.g. chrom")
        if both := set(self.values.get("dev", ())) & set(self.values.get("test", ())):
            rule = "dev and test must have different values"
            refuse((), f"{rule}, but got {quoted(min(both))} in both; remove it from one")
        if self.column is not None and len(self.shares) == 2:
            rule = "must be left out where dev and test are both shares"
            fix = "write values, e.g. dev: [chr8], or group instead of column"
            refuse(("column",), f"{rule}, but got {quoted(self.column)}; {fix}", self.column)
        if self.group is not None and not self.shares:
            rule = "must be left out unless dev or test is a share"
            refuse(("group",), f"{rule}, but got {quoted(self.group)}; e.g. dev: 0.1", self.group)
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
    columns: ColumnsSpec = ColumnsSpec()
    split: SplitSpec | None = None
    """Splits of a user's own data by shares or by values of a column, or the split column."""
    resplit: bool = False
    """Whether the data seed of a run also draws its splits: in comparisons, in benchmarks, and in
    the race of a study, whose test split stays as it is. Not for data with given splits."""
    dedup: Literal["none", "drop_from_train", "near"] = "none"
    """drop_from_train: removes rows of train that are in dev or test on either strand, that have
    conflicting labels, or that repeat a row of train. near: also those with a near copy in dev or
    test. Dev and test are unchanged."""
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

    @model_validator(mode="after")
    def _redrawn_splits_were_drawn(self) -> Self:
        generated = self.name == GENERATED and self.path is None
        shares = {} if self.split is None else self.split.shares
        if self.resplit and not generated and (self.name is not None or len(shares) < 2):
            self._refuse_resplit()
        return self

    def _refuse_resplit(self) -> NoReturn:
        rule = "must be given with dev and test drawn by shares"
        fix = "set task.split={dev: 0.1, test: 0.1}, with group=COLUMN to keep rows together"
        parts = {} if self.split is None else {"dev": self.split.dev, "test": self.split.test}
        given = [
            f"{name}={quoted(list(part) if isinstance(part, tuple) else part)}"
            for name, part in parts.items()
            if part is not None
        ]
        found = f"{' and '.join(given) or 'given splits'} of {self.path}"
        if self.name is not None:
            found = f"the published splits of {self.name}"
            fix = "remove it, or give one table of all rows as task.path"
        refuse(("resplit",), f"{rule}, but got {found}; {fix}", self.resplit)

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = _with_columns(_with_split(given))
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


def _with_columns(given: dict[str, Any]) -> dict[str, Any]:
    """Returns the section with the keys of stored specs, `label_column: y`, in `columns`."""
    earlier = {
        name: given[f"{name}_column"]
        for name in ("sequence", "label")
        if f"{name}_column" in given
    }
    if not earlier:
        return given
    columns = given.get("columns") or {}
    for name, value in earlier.items():
        if not isinstance(columns, dict) or columns.get(name, value) != value:
            rule = "must be left out where columns is there"
            refuse((f"{name}_column",), f"{rule}, but got {quoted(value)}; remove one", value)
    kept = {k: v for k, v in given.items() if k not in ("sequence_column", "label_column")}
    return kept | {"columns": columns | earlier}
