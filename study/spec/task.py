"""The labelled sequences that a YAML asks for: the `task` section."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from study.spec.leaves import Count, Seed, Text
from study.spec.rules import Section, refusal, refuse, shown, suggestion

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
"""From the hub or a local copy; the facts of each are in study/tasks/published.py."""
_SUMMARY = (
    f"{GENERATED}, emp/MARK and nt/MARK for {', '.join(HISTONES)},"
    f" prom/ and prom_core/ {'|'.join(SUBSETS)}, nt/{'|'.join(NT_PROMOTERS)}"
)


def _known(name: str) -> str:
    if name != GENERATED and name not in PUBLISHED:
        near = suggestion(name, (GENERATED, *PUBLISHED)) or f"; known: {_SUMMARY}"
        raise refusal(f"must be a known task, but got {shown(name)}{near}")
    return name


TaskName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": [GENERATED, *PUBLISHED]}),
]

STRANDLESS = ("emp/", "nt/H")
"""What the names of tasks on histone marks begin with."""


class TaskSpec(Section):
    """The labelled sequences: generated or published (`name`), or your own (`path`)."""

    name: TaskName | None = None
    """`promoters` (generated), or a published task, from the hub or from a copy at `path`."""
    path: Annotated[Path, Field(strict=False)] | None = None
    """A folder with train/dev/test csv, or one csv with a split column; with the name of a
    published task also a folder of the whole collection. Absolute once read."""
    revision: Text | None = None
    """Of the hub's data set; None: its newest, or the one in the cache."""
    train: Count = 3000
    """Sequences to generate; train, dev and test concern the generated task alone."""
    dev: Count = 750
    test: Count = 750
    seed: Seed = 0
    """Of the generated sequences, and of the dev split that is cut from train in nt/ tasks."""
    max_length: Count | None = None
    """Tokens; longer sequences are cut. None: the longest sequence of the task."""
    sequence_column: Text = "sequence"
    label_column: Text = "label"
    split_column: Text = "split"
    dedup: Literal["none", "drop_from_train"] = "none"
    """drop_from_train: rows of train that stand in dev or test on either strand, that have
    different labels, or that repeat a row of train go. Dev and test stay as they are."""
    rc_augment: bool | None = None
    """Whether training reads a row from either strand, by a fair coin. None: see `strandless`."""
    rc_average: bool | None = None
    """Whether an evaluation averages the class probabilities of both strands. None: likewise."""

    @property
    def strandless(self) -> bool:
        """Whether the labels hold for both strands, as far as the task's name tells.

        A histone mark sits on both strands, so a window and its reverse complement have the
        same label. A promoter's window is cut around its start site in the direction of
        transcription: read backwards, its elements stand at other places.
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
        name, path = given.get("name"), given.get("path")
        if name is None and path is None:
            given = given | {"name": GENERATED}
        if path is not None and name == GENERATED:
            refuse(("path",), f"{GENERATED} are generated, not read; remove name or path")
        if given.get("revision") is not None and (path is not None or given["name"] == GENERATED):
            refuse(("revision",), "concerns tasks that come from the hub alone; remove it")
        return given
