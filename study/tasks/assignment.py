"""Which split each row of a file has become: for the report, the journal and splits.csv.gz."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from study.csv_table import listed


@dataclass(frozen=True)
class Assignment:
    """The splits that were drawn from the rows of one file."""

    splits: list[str]
    """Of each row: train, dev or test."""
    ids: list[str]
    """The names of the rows, or their numbers from 1."""
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split -> value of the column that was given for it -> rows."""
    groups: dict[str, int] = field(default_factory=dict)
    """Split -> groups in it, if rows were drawn by groups."""

    def rows(self) -> dict[str, int]:
        """Returns the rows of dev and test, those of the two that were drawn."""
        counts = Counter(self.splits)
        return {name: counts[name] for name in ("dev", "test") if name in counts}

    def text(self) -> str:
        """Returns the rows of each split, with the values or the number of groups."""
        return ", ".join(f"{rows} {name}{self._of(name)}" for name, rows in self.rows().items())

    def _of(self, split: str) -> str:
        if split in self.values:
            return f" ({listed(list(self.values[split]))})"
        return f" (of {self.groups[split]} groups)" if split in self.groups else ""

    def csv(self) -> str:
        """Returns a table of all rows: number from 1, name, split."""
        names = map(_quoted, self.ids)
        rows = zip(range(1, len(self.splits) + 1), names, self.splits, strict=True)
        return "row,id,split\n" + "".join(f"{row},{name},{split}\n" for row, name, split in rows)

    def record(self) -> dict[str, Any]:
        """Returns what the journal has: values, groups, and the hash of the table."""
        digest = hashlib.sha256(self.csv().encode()).hexdigest()
        return {"values": self.values, "groups": self.groups, "sha256": digest}


def counted_values(splits: Sequence[str], cells: Sequence[str]) -> dict[str, dict[str, int]]:
    """Returns the rows of each cell by split, without train."""
    found: dict[str, dict[str, int]] = {}
    for (split, cell), count in Counter(zip(splits, cells, strict=True)).items():
        if split != "train":
            found.setdefault(split, {})[cell] = count
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text
