"""Pool: all rows of a task whose splits are drawn, from which other splits can be drawn.

With `task.resplit` the data seed of a run also draws its splits, as `task.split.seed` would. Rows
that belong together, a unit, are never separated: equal sequences and reverse complements, or with
`task.split.group` all rows of a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int

from study.csv_table import listed
from study.errors import InputError
from study.tasks.checks import require_classes
from study.tasks.dedup import drop_from_train
from study.tasks.drawing import by_groups, by_shares, units_of
from study.tasks.labels import class_name
from study.tasks.near_copies import near_copies
from study.tasks.split import SPLITS, Split

ATTEMPTS = 100
"""How many draws are tried until every split has the classes that it must have."""
Rows = Int[np.ndarray, " rows"]


@dataclass(frozen=True)
class Pool:
    """All rows of a task, and how its splits are drawn from them."""

    where: str
    """The setting, for messages."""
    rows: Split
    shares: Mapping[str, float]
    """Of dev and test."""
    first: Sequence[str]
    """The split of each row before any is drawn again."""
    dedup: Literal["none", "drop_from_train", "near"] = "none"
    group: str | None = None
    """Name of the column with the group of each row; None if rows are not drawn by groups."""
    cells: Sequence[str] | None = None
    """That column."""
    classes: Sequence[str] = ()
    held_out: bool = False
    """Whether test stays that of `first`, and only train and dev are drawn from the others."""

    def units(self) -> Rows:
        """Returns the unit of each row: the number of its first row."""
        return np.array(units_of(self.rows, self.cells), dtype=np.int64)

    def with_test_held_out(self) -> Pool:
        """Returns the pool of which only train and dev are drawn."""
        return replace(self, held_out=True)

    def draw(self, seed: int) -> dict[str, Rows]:
        """Returns the rows of each split in the order of the table.

        They are those of a task with `task.split.seed` = `seed`. If a split would lack a class
        that it must have, as groups may differ in their classes, the draw is repeated with
        another number that depends on the seed.

        Raises:
            InputError: no draw has the classes.
        """
        for attempt in range(ATTEMPTS):
            splits = self._assigned(str(seed) if attempt == 0 else f"{seed}, draw {attempt}")
            try:
                return self._suitable(splits)
            except InputError as error:
                failed = error
        raise InputError(
            f"{self.where}: splits of a data seed must have the classes that training needs, but "
            f"got none in {ATTEMPTS} draws, as {failed}; choose larger shares or other groups"
        )

    def _assigned(self, seed: str) -> list[str]:
        """Returns the split of each row."""
        if not self.held_out:
            return self._by(self.shares, seed, range(len(self.rows)))
        splits = list(self.first)
        left = [row for row, split in enumerate(splits) if split != "test"]
        shares = {"dev": self.shares["dev"] / (1 - self.shares["test"])}
        for row, split in zip(left, self._by(shares, seed, left), strict=True):
            splits[row] = split
        return splits

    def _by(self, shares: Mapping[str, float], seed: str, chosen: Sequence[int]) -> list[str]:
        rows = Split(
            [self.rows.sequences[row] for row in chosen], [self.rows.labels[row] for row in chosen]
        )
        if self.cells is None:
            return by_shares(self.where, rows, shares, seed, self.classes)
        cells = [self.cells[row] for row in chosen]
        return by_groups(self.where, rows, shares, seed, cells, str(self.group))

    def _suitable(self, splits: Sequence[str]) -> dict[str, Rows]:
        """Returns the rows of each split, train without those that `dedup` removes."""
        names = np.array(splits)
        rows = {name: np.flatnonzero(names == name) for name in SPLITS}
        train, dev, test = (self.rows.where(names == name) for name in SPLITS)
        if self.dedup != "none":
            kept, _ = drop_from_train(train, dev, test)
            rows["train"], train = rows["train"][kept], train.where(kept)
        if self.dedup == "near":
            kept = [not copy for copy in near_copies(train, dev, test).train]
            rows["train"], train = rows["train"][kept], train.where(kept)
        require_classes(self.where, train, dev, test, self.classes)
        # A metric may need every class, and was checked with the first splits.
        for name, split in (("dev", dev), ("test", test)):
            first = self.rows.where(np.array(self.first) == name)
            if missing := sorted(set(first.labels) - set(split.labels)):
                found = listed([class_name(label, self.classes) for label in missing])
                raise InputError(
                    f"{self.where}: {name} must have the classes of the first {name}, but got "
                    f"none of {found}; draw again"
                )
        return rows
