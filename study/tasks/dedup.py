"""Dropping from train what would make its scores look better than they are, or cannot be learnt.

Dev and test are never touched: their scores stay comparable with those of others.
"""

from __future__ import annotations

import numpy as np

from study.tasks.quality import conflicting
from study.tasks.split import Split, reverse_complement

SHARE = 0.1


def drop_from_train(train: Split, dev: Split, test: Split) -> tuple[Split, dict[str, int]]:
    """Train without the rows that should not be trained on, and how many went, by reason.

    Each row goes for the first reason that holds:

    - `in dev or test`: its sequence, or the reverse complement of it, stands there;
    - `with different labels`: its sequence stands in train with another label too, and nothing
      says which is right, so that all of them go;
    - `copies`: an earlier row of train has the sequence; the first stays.

    Within train the strands are not compared: the other strand is no copy where labels depend
    on it, and a second view of the same row where they do not.
    """
    held_out = {*dev.sequences, *test.sequences}
    held_out |= set(map(reverse_complement, held_out))
    doubtful = conflicting(train)
    dropped = {"in dev or test": 0, "with different labels": 0, "copies": 0}
    seen: set[str] = set()
    kept = Split([], [])
    for sequence, label in zip(train.sequences, train.labels, strict=True):
        if sequence in held_out:
            dropped["in dev or test"] += 1
        elif sequence in doubtful:
            dropped["with different labels"] += 1
        elif sequence in seen:
            dropped["copies"] += 1
        else:
            seen.add(sequence)
            kept.sequences.append(sequence)
            kept.labels.append(label)
    return kept, dropped


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
