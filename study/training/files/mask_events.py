"""The triplets that every mask event of a trial kept, as arrays of an npz file."""

from typing import Any

import numpy as np

from adapters.masking import KEPT, TOP
from study.training.trial import Trial


def mask_event_arrays(trial: Trial) -> dict[str, Any]:
    """Returns the mask events of a trial; empty without a rank allocator.

    Triplets are numbered by the matrix, in the order of `modules`, then by the index in lam.

    Returns:
        `modules`, the names of the matrices; `event_steps`, the step of every event; `event_kept`
        and `event_top`, bits (events, triplets / 8, rounded up) as of `numpy.packbits`: which
        triplets the event kept, and which were among the largest scores of the budget;
        `scored_steps`, the steps of the first, middle and last event, and `event_scores`, float32
        (scored steps, triplets). Events of steps before a resume from a checkpoint that lacks
        them, of an older version, are left out.
    """
    if trial.allocator is None:
        return {}
    events = trial.allocator.mask_events()
    outcomes, steps = events.outcomes.numpy(), np.array(events.steps, dtype=np.int64)
    known = np.atleast_1d((outcomes >= 0).all(axis=1))
    scored = np.array(events.scored, dtype=np.int64)
    scored_known = known[scored]
    return {
        "modules": np.array(list(trial.prepared.adapters)),
        "event_steps": steps[known],
        "event_kept": np.packbits(equal_ranks(trial, (outcomes[known] & KEPT) > 0), axis=1),
        "event_top": np.packbits(equal_ranks(trial, (outcomes[known] & TOP) > 0), axis=1),
        "scored_steps": steps[scored][scored_known],
        "event_scores": equal_ranks(trial, events.scores.numpy()[scored_known]),
    }


def equal_ranks(trial: Trial, values: np.ndarray) -> np.ndarray:
    """Returns values (..., triplets) with as many columns for every matrix: the largest rank.

    With a rank pattern the columns of triplets that a matrix does not have are 0.
    """
    ranks = [layer.rank for layer in trial.prepared.adapters.values()]
    most = max(ranks)
    columns = np.concatenate([most * n + np.arange(rank) for n, rank in enumerate(ranks)])
    filled = np.zeros((*values.shape[:-1], most * len(ranks)), dtype=values.dtype)
    filled[..., columns] = values
    return filled
