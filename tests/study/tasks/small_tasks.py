"""Small random tasks, written as the published data sets are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas

ROWS = {"train": 20, "dev": 6, "test": 8}


def rows(split: str, count: int | None = None) -> list[tuple[str, int]]:
    """Random sequences of 12 bases and labels 0, 1, 0, ..; other ones for each split."""
    count = ROWS[split] if count is None else count
    letters = np.random.default_rng(len(split)).choice(list("ACGT"), (count, 12))
    return [("".join(row), number % 2) for number, row in enumerate(letters)]


def write_csv(folder: Path, splits: tuple[str, ...] = ("train", "dev", "test")) -> Path:
    """One csv a split."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in splits:
        lines = [f"{sequence},{label}" for sequence, label in rows(split)]
        (folder / f"{split}.csv").write_text("\n".join(["sequence,label", *lines]))
    return folder


def write_parquet(folder: Path, *tasks: str, form: str = "{}.parquet") -> Path:
    """train and test with a task column, the rows of all tasks in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        table = [
            {"sequence": sequence, "name": f"{task}_{number}", "label": label, "task": task}
            for number, (sequence, label) in enumerate(rows(split, 2 * ROWS[split]))
            for task in tasks
        ]
        pandas.DataFrame(table).to_parquet(folder / form.format(split))
    return folder
