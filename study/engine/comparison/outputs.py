"""Writes labels.npz, outputs/ and weights/ of runs.

True classes; probabilities and kept triplets; the trained weights of runs that confirm a winner.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from study.storage.durable import replacing, sync, sync_names
from study.storage.folder import StudyFolder
from study.tasks.metrics import classification_metrics
from study.training.encoding import EncodedTask
from study.training.files.artifacts import save_artifacts
from study.training.files.mask_events import equal_ranks, mask_event_arrays
from study.training.trial import Trial


def write_labels(folder: StudyFolder, data: EncodedTask) -> None:
    """Writes labels.npz with the arrays `dev` and `test`, the true class of every row.

    Where data seeds draw the splits, those of the first ones; the runs have their own.
    """
    with replacing(folder.labels) as file:
        np.savez(file, dev=data.dev.labels, test=data.test.labels)


def evaluate_run(
    folder: StudyFolder, run: int, trial: Trial, splits: Sequence[str], with_labels: bool = False
) -> dict[str, float]:
    """Evaluates a trained run on `splits`, writes its outputs and returns its metrics.

    If logits are not finite, no outputs are written and the metrics are NaN. `with_labels`: the
    file has the true classes too, `labels_test` for test, as the runs of a benchmark have several
    tasks. For splits that a data seed has drawn it always has them, with the unit of every row and
    the share of the split (`units_test`, `share_test`).

    Raises:
        OSError: the file cannot be written.
    """
    logits = {split: trial.logits(getattr(trial.data, split)) for split in splits}
    labels = {split: getattr(trial.data, split).labels for split in splits}
    if all(np.isfinite(rows).all() for rows in logits.values()):
        drawn, stored = trial.data.drawn, {}
        if with_labels or drawn is not None:
            stored = {f"labels_{split}": own for split, own in labels.items()}
        if drawn is not None:
            for split in drawn.units.keys() & logits:
                stored[f"units_{split}"] = drawn.units[split]
                stored[f"share_{split}"] = np.array(drawn.shares[split])
        _write(folder, run, trial, logits, stored)
    return {
        f"{split}_{name}": value
        for split, rows in logits.items()
        for name, value in classification_metrics(rows, labels[split]).items()
    }


def keep_weights(folder: StudyFolder, run: int, trial: Trial) -> None:
    """Writes the files of `save_artifacts` into weights/run-NNNNN/; they are on disk afterwards.

    Raises:
        OSError: a file cannot be written.
    """
    weights = folder.run_weights(run)
    save_artifacts(trial, weights)
    for file in weights.iterdir():
        sync(file)
    sync_names(weights)


def _write(
    folder: StudyFolder,
    run: int,
    trial: Trial,
    logits: Mapping[str, Float[np.ndarray, "rows classes"]],
    others: Mapping[str, np.ndarray],
) -> None:
    """Writes outputs/run-NNNNN.npz atomically.

    One array per split: probabilities, float32 (rows, classes). For methods with a rank allocator
    also `kept`, bool (matrices, b0), the triplets kept at the last mask event, `modules`, the
    names of the matrices in the same order, and the other arrays of `mask_event_arrays`.
    """
    arrays: dict[str, Any] = dict(others) | {
        split: torch.from_numpy(rows).softmax(dim=1).numpy() for split, rows in logits.items()
    }
    if trial.allocator is not None:
        matrices = len(trial.prepared.adapters)
        arrays |= mask_event_arrays(trial)
        kept = equal_ranks(trial, trial.allocator.kept().cpu().numpy())
        arrays["kept"] = kept.reshape(matrices, -1)
    folder.outputs.mkdir(exist_ok=True)
    with replacing(folder.output(run)) as file:
        np.savez(file, **arrays)
