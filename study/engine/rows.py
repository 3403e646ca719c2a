"""Trials as rows of a csv, which have not all the same columns."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.engine.record import TrialRecord


def write_rows(path: Path, rows: Sequence[dict[str, Any]], always: Sequence[str] = ()) -> None:
    """Writes a csv with every column that some row has, and those of `always`, in one move."""
    columns = list(dict.fromkeys([*(name for row in rows for name in row), *always]))
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def outcome(trial: TrialRecord) -> dict[str, Any]:
    """How far a trial came, how long it took, and the metrics of its last report."""
    return {
        "reports": len(trial.reports),
        "steps": trial.reports[-1]["step"] if trial.reports else 0,
        "total_steps": trial.total_steps,
        "seconds": "" if trial.seconds is None else round(trial.seconds, 1),
        **trial.metrics,
    }
