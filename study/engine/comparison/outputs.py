"""What a run answers, for whoever compares runs: probabilities and kept triplets, as npz."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from study.storage.durable import replacing
from study.storage.folder import StudyFolder
from study.tasks.metrics import classification_metrics
from study.training.encoding import EncodedTask
from study.training.trial import Trial


def write_labels(folder: StudyFolder, data: EncodedTask) -> None:
    """Writes labels.npz: `dev` and `test`, the true class of every row."""
    with replacing(folder.labels) as file:
        np.savez(file, dev=data.dev.labels, test=data.test.labels)


def answer(folder: StudyFolder, run: int, trial: Trial, splits: Sequence[str]) -> dict[str, float]:
    """Has a trained run answer `splits`, writes what it says, and returns its metrics.

    What is not finite is not written, and its metrics are NaN.

    Raises:
        OSError: it cannot be written.
    """
    found = {split: trial.logits(getattr(trial.data, split)) for split in splits}
    if all(np.isfinite(logits).all() for logits in found.values()):
        _write(folder, run, trial, found)
    labels = {split: getattr(trial.data, split).labels for split in splits}
    return {
        f"{split}_{name}": value
        for split, logits in found.items()
        for name, value in classification_metrics(logits, labels[split]).items()
    }


def _write(
    folder: StudyFolder,
    run: int,
    trial: Trial,
    logits: Mapping[str, Float[np.ndarray, "rows classes"]],
) -> None:
    """Writes `outputs/run-00012.npz`, whole or not at all.

    By split the float32 probabilities (rows, classes); of a method with a rank allocator also
    `kept`, bool (matrices, b0), the triplets that the last mask event kept, and `modules`, the
    names of the matrices in that order.
    """
    arrays: dict[str, Any] = {
        split: torch.from_numpy(found).softmax(dim=1).numpy() for split, found in logits.items()
    }
    if trial.allocator is not None:
        modules = list(trial.prepared.adapters)
        arrays["modules"] = np.array(modules)
        arrays["kept"] = trial.allocator.kept().cpu().numpy().reshape(len(modules), -1)
    folder.outputs.mkdir(exist_ok=True)
    with replacing(folder.output(run)) as file:
        np.savez(file, **arrays)
