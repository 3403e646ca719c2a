"""The published tasks by name: repository, folders, row counts, citation.

GUE (Zhou et al. 2023) has the ten yeast histone marks (EMP), the human promoters, core promoters
and splice sites, each in three splits. The original Nucleotide Transformer data set (Dalla-Torre
et al. 2023) has the same marks and promoters without a dev split: its train is GUE's train and
dev, its test is GUE's. (Its revised edition has other tasks under the same names.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.tasks.dedup import SHARE

if TYPE_CHECKING:
    from study.spec import TaskSpec

GUE = "leannmlindsey/GUE"
NT = "InstaDeepAI/nucleotide_transformer_downstream_tasks"
_GUE_CITATION = "Zhou et al. 2023, DNABERT-2, arXiv:2306.15006"
_NT_CITATION = "Dalla-Torre et al. 2023, Nucleotide Transformer, bioRxiv 2023.01.11.523679"


@dataclass(frozen=True)
class PublishedTask:
    """Facts of one task, known without its files."""

    repository: str
    """The hub's data set."""
    label: str
    """The name of the task in the data set, as in its `task` column if there is one."""
    places: tuple[str, ...]
    """Folders that may have its files, in the hub's data set or in a local copy of it."""
    rows: dict[str, int]
    """Row counts by split; without dev if it is cut from train."""
    length: int
    """Length in base pairs of nearly every sequence."""
    citation: str
    classes: int = 2


def _gue(
    name: str, folder: str, rows: Sequence[int], length: int, classes: int = 2
) -> PublishedTask:
    """A folder `name` on the hub, or `folder` in the authors' GUE.zip; with or without GUE/."""
    places = (f"GUE/{name}", name, f"GUE/{folder}", folder)
    counts = dict(zip(("train", "dev", "test"), rows, strict=True))
    return PublishedTask(GUE, name, places, counts, length, _GUE_CITATION, classes)


def _nt(name: str, gue: PublishedTask) -> PublishedTask:
    """In a folder per task, or one file per split for all tasks."""
    rows = {"train": gue.rows["train"] + gue.rows["dev"], "test": gue.rows["test"]}
    return PublishedTask(NT, name, (name, "data", "."), rows, gue.length, _NT_CITATION)


SPLICE = "splice/reconstructed"
_HISTONE_ROWS = {
    "H3": (11971, 1497, 1497),
    "H3K14ac": (26438, 3305, 3305),
    "H3K36me3": (27904, 3488, 3488),
    "H3K4me1": (25341, 3168, 3168),
    "H3K4me2": (24545, 3069, 3069),
    "H3K4me3": (29439, 3680, 3680),
    "H3K79me3": (23069, 2884, 2884),
    "H3K9ac": (22224, 2779, 2779),
    "H4": (11679, 1461, 1461),
    "H4ac": (27275, 3410, 3410),
}
_PROMOTER_ROWS = {
    "all": (47356, 5920, 5920),
    "notata": (42452, 5307, 5307),
    "tata": (4904, 613, 613),
}

_NT_PROMOTERS = {"all": "promoter_all", "notata": "promoter_no_tata", "tata": "promoter_tata"}

_EMP = {
    mark: _gue(f"emp_{mark}", f"EMP/{mark}", rows, 500) for mark, rows in _HISTONE_ROWS.items()
}
_PROM, _CORE = (
    {
        subset: _gue(f"{kind}_{subset}", f"prom/{kind}_{subset}", rows, length)
        for subset, rows in _PROMOTER_ROWS.items()
    }
    for kind, length in (("prom_300", 300), ("prom_core", 70))
)

PUBLISHED: dict[str, PublishedTask] = {  # the names are those of study/spec/task.py
    **{f"emp/{mark}": task for mark, task in _EMP.items()},
    **{f"prom/{subset}": task for subset, task in _PROM.items()},
    **{f"prom_core/{subset}": task for subset, task in _CORE.items()},
    SPLICE: _gue("splice_reconstructed", SPLICE, (36496, 4562, 4562), 400, classes=3),
    **{f"nt/{mark}": _nt(mark, task) for mark, task in _EMP.items()},
    **{f"nt/{name}": _nt(name, _PROM[subset]) for subset, name in _NT_PROMOTERS.items()},
}


def planned_rows(task: TaskSpec) -> int | None:
    """Returns the published number of training rows of a task from the hub; None for others."""
    if task.name not in PUBLISHED or task.path is not None:
        return None
    rows = PUBLISHED[task.name].rows
    return rows["train"] if "dev" in rows else round(rows["train"] * (1 - SHARE))


def row_warnings(published: PublishedTask, counts: dict[str, int]) -> list[str]:
    """Returns a line with both numbers if the splits do not have the published numbers of rows."""
    different = [
        f"{split} {counts[split]} instead of {rows}"
        for split, rows in published.rows.items()
        if counts[split] != rows
    ]
    if not different:
        return []
    return [
        f"the numbers of rows are not the published ones: {', '.join(different)}; scores cannot"
        " be compared with published scores"
    ]
