"""Weights of the training loss by class: the loss of a step is the weighted mean of its rows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from study.csv_table import listed
from study.errors import InputError
from study.spec import TrainingSpec


def class_weights(
    training: TrainingSpec, labels: Int[np.ndarray, " rows"], classes: int
) -> Float[np.ndarray, " classes"] | None:
    """Returns the weight of each class; None if all rows count the same.

    `balanced` is rows / (classes * rows of the class), as in scikit-learn: every class has the
    same sum of weights, and the mean weight of a row is 1. `labels` are those of train.
    """
    chosen = training.class_weights
    if chosen == "none":
        return None
    if chosen == "balanced":
        rows = np.bincount(labels, minlength=classes)
        return len(labels) / (classes * np.maximum(rows, 1))
    return np.array(chosen, dtype=np.float64)


def check_class_weights(
    training: TrainingSpec, task: str, classes: int, names: Sequence[str] = ()
) -> None:
    """Checks that given weights are as many as the classes of a task.

    Raises:
        InputError: they are not.
    """
    weights = training.class_weights
    if isinstance(weights, tuple) and len(weights) != classes:
        order = f" ({listed(names)}, in this order)" if names else ""
        raise InputError(
            f"training.class_weights: must have a weight for each of the {classes} classes of "
            f"{task}{order}, but got {len(weights)} weights; give {classes}, or write balanced"
        )
