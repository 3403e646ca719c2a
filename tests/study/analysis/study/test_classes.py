"""Scores of classes, confusion matrices and calibration, against scikit-learn's."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from study.analysis.study.classes import Classes, classes
from study.analysis.study.figures.classes import class_figures
from study.analysis.study.page import render
from study.errors import InputError
from study.storage.events import StudyOpened
from study.storage.journal import Journal
from study.storage.predictions import Predictions, write_predictions
from study.tasks import Split
from study.tasks.metrics import classification_metrics
from study.tasks.quality import measure
from tests.study.analysis.balanced import Balanced
from tests.study.analysis.study.made_studies import SPEC, MadeStudy, finish
from tests.study.analysis.study.rich_studies import made_predictions

NAMES = ("acceptor", "donor", "<b>exon</b>", "neither")


@pytest.fixture
def predictions() -> Predictions:
    return made_predictions(NAMES)


def measured(study: MadeStudy, predictions: Predictions) -> MadeStudy:
    """Finishes a study whose winner has these predictions."""
    finish(study)
    write_predictions(study.folder.predictions, predictions)
    return study


def section(study: MadeStudy) -> Classes:
    found = classes(study.read())
    assert found is not None
    return found


def test_scores_of_each_class_and_matrices_equal_scikit_learns(
    study: MadeStudy, predictions: Predictions
) -> None:
    found = section(measured(study, predictions))
    assert [matrix.split for matrix in found.matrices] == ["test", "dev"]
    assert found.columns == [(s, ["rows", "precision", "recall", "F1"]) for s in ("test", "dev")]
    for place, matrix in enumerate(found.matrices):
        split = predictions.splits[matrix.split]
        pair = (split.labels, split.predicted)
        counts = np.array([[cell.rows for cell in cells] for _, cells in matrix.lines])
        assert (counts == sk.confusion_matrix(*pair)).all()
        shares = np.array([[cell.share for cell in cells] for _, cells in matrix.lines])
        assert shares / 100 == pytest.approx(sk.confusion_matrix(*pair, normalize="true"))
        *scores, support = sk.precision_recall_fscore_support(*pair)
        for k, (name, cells) in enumerate(found.rows):
            own = cells[4 * place : 4 * place + 4]
            assert (name, own[0]) == (NAMES[k], str(support[k]))
            assert own[1:] == [f"{score[k]:.3f}" for score in scores]


def test_the_most_frequent_confusions_are_named(
    study: MadeStudy, predictions: Predictions
) -> None:
    matrix = section(measured(study, predictions)).matrices[0]
    wrong = {
        (name, NAMES[j]): cell.rows
        for name, cells in matrix.lines
        for j, cell in enumerate(cells)
        if not cell.right
    }
    (true, shown), count = max(wrong.items(), key=lambda item: item[1])
    total = sum(cell.rows for cell in dict(matrix.lines)[true])
    assert matrix.confusions.startswith(f"{true} predicted as {shown}: {count} of {total}")
    assert len(matrix.confusions.split("; ")) == 3


def test_a_class_without_rows_has_no_recall(study: MadeStudy, predictions: Predictions) -> None:
    for split in predictions.splits.values():
        split.labels[split.labels == 0] = 1
        split.logits[:, 0] = -99
    found = section(measured(study, predictions))
    assert found.rows[0] == ("acceptor", ["0", "–", "–", "–"] * 2)


def test_calibration_has_the_error_of_the_metric(
    study: MadeStudy, predictions: Predictions
) -> None:
    _, figure = class_figures(measured(study, predictions).read())
    rows = list(zip(*figure.columns.values(), strict=True))
    for name, split in predictions.splits.items():
        own = [row for row in rows if row[0] == name]
        assert sum(row[3] for row in own) == len(split.labels)
        error = sum(row[3] * abs(row[5] - row[4]) for row in own) / len(split.labels)
        expected = classification_metrics(split.logits, split.labels)["ece"]
        assert error == pytest.approx(expected)
        assert f"{name} {expected:.3f}" in figure.caption
        assert all(0 <= row[6] <= row[5] <= row[7] <= 1 for row in own)
        assert all(row[1] < row[4] <= row[2] for row in own)


@pytest.mark.parametrize(
    ("weights", "shown"), [("balanced", "0.5"), ("[2.0, 1.0, 1.0, 1.0]", "2")]
)
def test_the_weights_of_the_loss_are_beside_the_rows_of_train(
    tmp_path: Path, predictions: Predictions, weights: str, shown: str
) -> None:
    spec = SPEC.replace("training:", f"training:\n  class_weights: {weights}")
    study = MadeStudy(tmp_path / "weighted", spec)
    train = Split(["AC", "AG", "AT", "CA", "CC"], [0, 0, 1, 2, 3])
    study.folder.journal.unlink()
    quality = measure(train, train, train, 4, NAMES).record()
    Journal(study.folder.journal).append(StudyOpened(version=1, name="x", quality=quality))
    found = section(measured(study, predictions))
    assert found.columns[0] == ("train", ["rows", "weight in the loss"])
    assert found.rows[0][1][:2] == [
        "2",
        f"{float(shown) * 1.25:.3g}" if weights == "balanced" else shown,
    ]


def test_names_are_text_on_the_page_and_its_tables_are_balanced(
    study: MadeStudy, predictions: Predictions
) -> None:
    page = render(measured(study, predictions).read())
    assert "<b>exon</b>" not in page.split("<script")[0]
    assert "&lt;b&gt;exon&lt;/b&gt;" in page
    assert page.count('<table class="confusion many">') == 2
    assert "Which classes does it tell apart?" in Balanced(page).text


def test_many_classes_have_no_matrix(study: MadeStudy) -> None:
    names = tuple(f"class {k}" for k in range(30))
    measured(study, made_predictions(names, rows=400))
    assert section(study).matrices == []
    page = render(study.read())
    assert "30 classes are too many for a confusion matrix here" in page
    assert '<table class="confusion' not in page


def test_a_folder_of_an_older_version_has_no_section(study: MadeStudy) -> None:
    finish(study)
    assert classes(study.read()) is None
    assert class_figures(study.read()) == []
    assert '<section id="classes">' not in render(study.read())


def test_damaged_predictions_are_refused(study: MadeStudy, predictions: Predictions) -> None:
    measured(study, predictions)
    study.folder.predictions.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"predictions.npz: must have the logits"):
        study.read()
