"""A csv of rows that have not all the same columns."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_rows(path: Path, rows: Sequence[dict[str, Any]], always: Sequence[str] = ()) -> None:
    """Writes a csv with every column that some row has, and those of `always`, in one move."""
    columns = list(dict.fromkeys([*(name for row in rows for name in row), *always]))
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)
