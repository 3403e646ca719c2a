"""Weights of the training loss by class: the loss of a step is the weighted mean of its rows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from study.classification import balanced_weights
from study.csv_table import listed
from study.errors import InputError
from study.spec import TrainingSpec


def class_weights(
    training: TrainingSpec, labels: Int[np.ndarray, " rows"], classes: int
) -> Float[np.ndarray, " classes"] | None:
    """Returns the weight of each class; None if all rows count the same.

    `labels` are those of train.
    """
    chosen = training.class_weights
    if chosen == "none":
        return None
    if chosen == "balanced":
        return balanced_weights(np.bincount(labels, minlength=classes))
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
