"""Dropping from train what would make its scores look better than they are, or cannot be learnt.

Dev and test are never touched: their scores stay comparable with those of others.
"""

from __future__ import annotations

from study.tasks.quality import conflicting
from study.tasks.task import Split, reverse_complement


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
