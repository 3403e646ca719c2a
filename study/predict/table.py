"""The predictions as csv, and their scores if the file has labels."""

import csv
from collections.abc import Sequence
from typing import TextIO

import numpy as np
from jaxtyping import Float, Int

from study.predict.logits import LogitsFile, probabilities
from study.predict.rows import UNKNOWN, Rows
from study.tasks.metrics import classification_metrics

TAKEN = ("id", "predicted")
"""Names of columns that a class cannot have."""


def columns_of(classes: Sequence[str], labels: int) -> list[str]:
    """Returns a column for each class: its name, or `class_0`, … if the labels are numbers."""
    names = [f"class_{name}" if name in TAKEN else name for name in classes]
    return names or [f"class_{number}" for number in range(labels)]


def write_table(
    file: TextIO, rows: Rows, classes: Sequence[str], files: Sequence[LogitsFile], labels: int
) -> None:
    """Writes `id`, the probability of each class, `predicted`, and with several seeds the spread.

    The probability is the mean over seeds. `sd_CLASS` is the standard deviation between seeds.
    """
    columns = columns_of(classes, labels)
    spread = [f"sd_{name}" for name in columns] if len(files) > 1 else []
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", *columns, "predicted", *spread])
    names = list(classes) or [str(number) for number in range(labels)]
    done, logits = 0, [one.all() for one in files]
    for part in rows.parts():
        here = slice(done, done + len(part.ids))
        of_seeds = np.stack([probabilities(one[here]) for one in logits])
        means = of_seeds.mean(axis=0)
        deviations = of_seeds.std(axis=0, ddof=1) if spread else np.empty((len(means), 0))
        for name, row, sd in zip(part.ids, means, deviations, strict=True):
            shown = [f"{value:.8g}" for value in row]
            writer.writerow([name, *shown, names[row.argmax()], *(f"{one:.3g}" for one in sd)])
        done += len(part.ids)


def scores(rows: Rows, files: Sequence[LogitsFile]) -> dict[str, float]:
    """Returns the metrics of the mean probabilities on the labels of the file."""
    labels: Int[np.ndarray, " rows"] = np.concatenate(
        [np.asarray(rows.numbers(part), dtype=np.int64) for part in rows.parts()]
    )
    assert UNKNOWN not in labels
    return classification_metrics(_mean(files), labels)


def _mean(files: Sequence[LogitsFile]) -> Float[np.ndarray, "rows classes"]:
    """Returns the logits of one seed, or the logarithms of the mean probabilities of several."""
    if len(files) == 1:
        return np.array(files[0].all())
    mean = np.mean([probabilities(one.all()) for one in files], axis=0)
    logs: Float[np.ndarray, "rows classes"] = np.log(np.maximum(mean, np.finfo(np.float64).tiny))
    return logs
