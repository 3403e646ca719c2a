"""Removes leaked, conflicting and repeated rows from train; cuts a dev split from train.

`drop_from_train` never changes dev and test, so that their scores stay comparable.
"""

from __future__ import annotations

import numpy as np

from study.tasks.quality import conflicting
from study.tasks.split import Split, reverse_complement

SHARE = 0.1
"""The fraction of each class of train that becomes the dev split."""


def drop_from_train(train: Split, dev: Split, test: Split) -> tuple[list[bool], dict[str, int]]:
    """Returns which rows of train are suitable, and the number of the others by reason.

    A row is removed for the first reason that applies:

    - `in dev or test`: its sequence or the reverse complement is there;
    - `with different labels`: its sequence is in train with another label too; as the right
      one is not known, all of these rows are removed;
    - `copies`: an earlier row of train has the same sequence.

    Strands are not compared within train: the reverse complement is not a copy where labels
    depend on the strand, and an augmentation where they do not.
    """
    held_out = {*dev.sequences, *test.sequences}
    held_out |= set(map(reverse_complement, held_out))
    conflicts = conflicting(train)
    dropped = {"in dev or test": 0, "with different labels": 0, "copies": 0}
    seen: set[str] = set()
    kept = [False] * len(train)
    for row, sequence in enumerate(train.sequences):
        if sequence in held_out:
            dropped["in dev or test"] += 1
        elif sequence in conflicts:
            dropped["with different labels"] += 1
        elif sequence in seen:
            dropped["copies"] += 1
        else:
            seen.add(sequence)
            kept[row] = True
    return kept, dropped


def cut_dev(train: Split, seed: int) -> tuple[Split, Split]:
    """Returns the rest of `train`, and a dev split: a tenth of each class, at least one row.

    Rows keep their order; which ones are drawn depends only on the labels and `seed`.
    """
    rng = np.random.default_rng(seed)
    labels = np.asarray(train.labels)
    drawn = np.zeros(len(train), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn[rng.choice(rows, max(1, round(SHARE * len(rows))), replace=False)] = True
    return train.where(~drawn), train.where(drawn)
