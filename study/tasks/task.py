"""Task: the splits of a classification problem, as every source returns them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.tasks.split import SPLITS, Split

if TYPE_CHECKING:
    from study.tasks.quality import Quality
    from study.tasks.resplit import Pool


@dataclass(frozen=True)
class Task:
    """Three splits of one classification problem; `train` has every class.

    `warnings` has a line for each suspicious property of the data; `quality` the measurements.
    """

    name: str
    train: Split
    dev: Split
    test: Split
    num_labels: int
    warnings: list[str]
    quality: Quality | None = None
    classes: tuple[str, ...] = ()
    """Names of the classes 0..k-1; empty if the labels are numbers."""
    pool: Pool | None = None
    """All rows, with `task.resplit`."""

    def splits(self) -> Iterator[tuple[str, Split]]:
        """Yields ("train", ...), ("dev", ...), ("test", ...)."""
        for name in SPLITS:
            yield name, getattr(self, name)
