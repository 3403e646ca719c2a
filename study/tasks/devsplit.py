"""A dev split for a data set that has none: a tenth of train, drawn class by class."""

from __future__ import annotations

import numpy as np

from study.tasks.task import Split

SHARE = 0.1


def cut_dev(train: Split, seed: int) -> tuple[Split, Split]:
    """What is left of `train`, and the dev split: a tenth of each class, at least one row.

    Rows keep their order; which ones are drawn depends on the labels and `seed` alone.
    """
    rng = np.random.default_rng(seed)
    labels = np.asarray(train.labels)
    drawn = np.zeros(len(train), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn[rng.choice(rows, max(1, round(SHARE * len(rows))), replace=False)] = True
    return train.where(~drawn), train.where(drawn)
