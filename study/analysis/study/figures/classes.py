"""The winner's errors by class, as numbers, and how far its probabilities can be believed."""

import math

from study.analysis.figure import Figure
from study.analysis.study.classes import confusion_of
from study.analysis.study.reading import StudyData
from study.classification import BINS, calibration, probabilities
from study.storage.predictions import SPLITS, Predictions


def class_figures(study: StudyData) -> list[Figure]:
    """Returns the numbers of the confusion matrices, and the reliability diagram."""
    if study.predictions is None or study.record.winner is None:
        return []
    return [_confusion(study.predictions), _calibration(study.predictions)]


def _confusion(predictions: Predictions) -> Figure:
    """Returns the confusion matrices as a table; the page shows them as HTML."""
    names = predictions.classes
    rows = [
        (split, true, shown, int(confusion[k, j]))
        for split in SPLITS
        for confusion in (confusion_of(predictions.splits[split]),)
        for k, true in enumerate(names)
        for j, shown in enumerate(names)
    ]
    return Figure(
        name="confusion",
        columns={
            name: [row[k] for row in rows]
            for k, name in enumerate(("split", "true", "predicted", "rows"))
        },
        heading="Which classes does it tell apart?",
        alt="rows of each true class by predicted class",
        caption="Rows of dev and test of each true and predicted class.",
    )


def _calibration(predictions: Predictions) -> Figure:
    found = {
        name: calibration(probabilities(split.logits), split.labels)
        for name, split in predictions.splits.items()
    }
    rows = [
        (split, j / BINS, (j + 1) / BINS, count, confidence, right, *_interval(right, count))
        for split, bins in found.items()
        for j, (count, confidence, right) in enumerate(
            zip(bins.rows.tolist(), bins.confidence.tolist(), bins.accuracy.tolist(), strict=True)
        )
        if count
    ]
    names = ("split", "from", "to", "rows", "confidence", "accuracy", "low", "high")
    errors = ", ".join(f"{split} {found[split].error:.3f}" for split in reversed(SPLITS))
    return Figure(
        name="calibration",
        columns={name: [row[k] for row in rows] for k, name in enumerate(names)},
        heading="Can its probabilities be believed?",
        alt="share of right predictions against the probability of the predicted class",
        caption=f"Sequences in {BINS} equal bins of the probability of the predicted class; bars: "
        "95 % intervals from the number of sequences in a bin (Wilson). On the line, "
        "probabilities are right; below it the model is too certain. The mean distance from it is "
        f"the expected calibration error: {errors}.",
        options={"chance": 1 / len(predictions.classes)},
    )


def _interval(share: float, rows: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval of a share."""
    z = 1.959964
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return min(share, middle - half), max(share, middle + half)
