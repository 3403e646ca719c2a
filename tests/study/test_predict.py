"""`study.predict`: probabilities of files in all formats, with labels and without."""

import csv
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from study.engine.stored_winner import StoredWinner
from study.predict import rows as rows_module
from study.predict.__main__ import main
from study.predict.logits import probabilities
from study.storage.folder import StudyFolder
from study.tasks import load_task
from study.training.prediction.predictor import Predictor
from study.training.trial import Trial
from tests.study.finished_studies import NAMES, finish, spec_of, three_classes, trained
from tests.study.models.checkpoints import random_dna, write_checkpoint

Study = tuple[StudyFolder, Trial]
Predict = Callable[..., list[dict[str, str]]]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of three classes with names, and its race; not to be changed."""
    folder = tmp_path_factory.mktemp("studies")
    write_checkpoint(folder / "backbone", "esm")
    spec = spec_of(folder / "backbone", three_classes(folder / "task", names=True))
    trial = trained(spec)
    return finish(folder / "study", trial, race=True), trial


@pytest.fixture
def predict(study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Predict:
    """(file, *options) -> the rows of the csv that the command prints."""

    def run(file: Path, *options: str) -> list[dict[str, str]]:
        assert main([str(study[0].path), str(file), *options]) == 0
        return list(csv.DictReader(capsys.readouterr().out.splitlines()))

    return run


def refused(capsys: pytest.CaptureFixture[str], study: Study, file: Path, *options: str) -> str:
    assert main([str(study[0].path), str(file), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_probabilities_are_those_of_the_trials_own_logits_in_every_format(
    study: Study, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "PART", 7)
    folder, trial = study
    split = load_task(trial.spec.task).test
    expected = probabilities(trial.logits(trial.data.test))
    labelled = (folder.path.parent / "task" / "test.csv").read_text()
    plain = "sequence\n" + "\n".join(split.sequences)
    (tmp_path / "a.csv").write_text(labelled)
    (tmp_path / "a.tsv").write_text(plain.replace(",", "\t"))
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write(labelled)
    records = [f">s{i} of a test\n{one[:9]}\n{one[9:]}\n" for i, one in enumerate(split.sequences)]
    (tmp_path / "a.fa").write_text("".join(records))
    for name in ("a.csv", "a.tsv", "a.csv.gz", "a.fa"):
        found = predict(tmp_path / name)
        values = np.array([[float(row[k]) for k in NAMES] for row in found])
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)
        assert [row["predicted"] for row in found] == [NAMES[k] for k in expected.argmax(axis=1)]
        ids = [f"s{i}" if name == "a.fa" else str(i + 1) for i in range(24)]
        assert [row["id"] for row in found] == ids


def test_with_all_seeds_the_probability_is_the_mean_and_the_spread_is_given(
    study: Study, predict: Predict
) -> None:
    folder, trial = study
    file = folder.path.parent / "task" / "dev.csv"
    runs = StudyFolder(folder.finalists)
    winner = StoredWinner.read(folder.path)
    sequences = load_task(trial.spec.task).dev.sequences
    confirming = winner.confirming()
    assert list(confirming) == [runs.run_weights(0), runs.run_weights(1)]
    each = np.stack(
        [
            Predictor(spec, *winner.load(weights, spec)).probabilities(sequences)
            for weights, spec in confirming.items()
        ]
    )
    assert abs(each[0] - each[1]).max() > 1e-3
    found = predict(file, "--seeds", "all")
    values = np.array([[float(row[k]) for k in NAMES] for row in found])
    np.testing.assert_allclose(values, each.mean(axis=0), rtol=0, atol=1e-6)
    spread = np.array([[float(row[f"sd_{k}"]) for k in NAMES] for row in found])
    np.testing.assert_allclose(spread, each.std(axis=0, ddof=1), rtol=0.01, atol=1e-6)


def test_scores_of_labels_are_said_on_standard_error(
    study: Study, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, trial = study
    file = folder.path.parent / "task" / "test.csv"
    assert main([str(folder.path), str(file), "--out", str(tmp_path / "out.csv")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    expected = trial.evaluate(trial.data.test)
    assert f"mcc {expected['mcc']:.4f}  auc {expected['auc']:.4f}" in captured.err
    assert "scores on 24 labelled rows" in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]

    other = tmp_path / "other.csv"
    other.write_text("sequence,label\n" + f"{random_dna(1, 30)[0]},exon\n")
    assert main([str(folder.path), str(other)]) == 0
    assert "no scores: the label 'exon' is no class of the study" in capsys.readouterr().err


def test_bad_input_is_refused_in_one_line_before_anything_is_written(
    study: Study, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, out = tmp_path / "new.csv", tmp_path / "out.csv"
    good, long = random_dna(1, 30)[0], random_dna(1, 400)[0]
    cases = {
        "": "must have a header and rows, but got an empty file",
        "sequence\n": "must have rows below the header",
        f"dna\n{good}\n": "must have a column 'sequence', but got dna; name it in the first line",
        f"sequence\n{good}\nMKVLX\n": "new.csv:3: a sequence must consist of A, C, G, T",
        f"sequence\n{good}\n{long}\n": "new.csv:3: must fit the 64 positions",
    }
    for text, error in cases.items():
        file.write_text(text)
        assert error in refused(capsys, study, file, "--out", str(out))
    file.write_bytes(b"\x00\xff\x89PNG" * 50)
    refused(capsys, study, file)
    assert "must be a readable file" in refused(capsys, study, tmp_path / "none.fa")
    file.write_text(f"sequence\n{good}\n")
    assert "must be a new file, but got the file" in refused(
        capsys, study, file, "--out", str(file)
    )
    assert "in an existing folder" in refused(
        capsys, study, file, "--out", str(tmp_path / "no" / "x.csv")
    )
    assert not out.exists()


def test_long_sequences_are_read_in_windows_on_request(predict: Predict, tmp_path: Path) -> None:
    file = tmp_path / "long.fa"
    file.write_text(f">long\n{random_dna(1, 900)[0]}\n")
    [row] = predict(file, "--windows", "--overlap", "0.25")
    assert sum(float(row[name]) for name in NAMES) == pytest.approx(1, abs=1e-6)


def test_a_folder_without_the_weights_of_all_seeds_says_what_to_do(
    study: Study, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, trial = study
    older = StudyFolder(shutil.copytree(folder.path, tmp_path / "older"))
    shutil.rmtree(StudyFolder(older.finalists).weights)
    file = folder.path.parent / "task" / "test.csv"
    error = refused(capsys, (older, trial), file, "--seeds", "all")
    assert "must have the weights of the 2 runs that confirm the winner, but got 0" in error
    assert "--resume" in error
    assert main([str(tmp_path / "nowhere"), str(file)]) == 2
    assert "must be the folder of a finished study" in capsys.readouterr().err
