"""predictions.npz: what is written is read, and what does not belong together is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.engine.winner import predict
from study.errors import InputError
from study.storage.predictions import read_predictions, write_predictions
from tests.study.training.tiny_trials import tiny_backbone, tiny_task, tiny_trial


def test_the_file_has_the_trials_own_logits_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    trial = tiny_trial("lora", on=tiny_backbone(labels=3), task=tiny_task(labels=3))
    trial.train_until(2)
    for name in ("one", "other"):
        write_predictions(tmp_path / name, predict(trial))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    read = read_predictions(tmp_path / "one")
    assert read is not None
    assert read.classes == ("0", "1", "2")
    for name in ("dev", "test"):
        split = getattr(trial.data, name)
        assert read.splits[name].logits.dtype == np.float32
        assert (read.splits[name].logits == trial.logits(split)).all()
        assert (read.splits[name].labels == split.labels).all()


def test_a_folder_without_the_file_has_no_predictions(tmp_path: Path) -> None:
    assert read_predictions(tmp_path / "predictions.npz") is None


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"test_labels": None}, "no array 'test_labels'"),
        ({"dev_logits": np.zeros((4, 3))}, r"dev_logits of shape \(4, 3\)"),
        ({"dev_labels": np.zeros(5, int)}, r"dev_labels of shape \(5,\)"),
        ({"dev_labels": np.zeros(4)}, "dev_labels of shape"),
        ({"test_labels": np.array([0, 1, 2, 0])}, "test_labels from 0 to 2"),
        ({"dev_logits": np.array([["a", "b"]] * 4)}, "dev_logits"),
        ({"classes": np.array([{}], dtype=object)}, "pickle"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    tmp_path: Path, changed: dict[str, Any], found: str
) -> None:
    arrays: dict[str, Any] = {"classes": np.array(["no", "yes"])}
    for name in ("dev", "test"):
        arrays |= {f"{name}_logits": np.zeros((4, 2)), f"{name}_labels": np.array([0, 1, 0, 1])}
    kept = {name: array for name, array in (arrays | changed).items() if array is not None}
    np.savez(tmp_path / "predictions.npz", **kept)
    with pytest.raises(InputError, match=f"must have .*, but got: .*{found}.*; remove the file"):
        read_predictions(tmp_path / "predictions.npz")


def refusal(path: Path) -> str | None:
    try:
        read_predictions(path)
    except InputError as error:
        return str(error)
    return None


def test_a_file_with_any_damaged_byte_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    write_predictions(path, predict(tiny_trial("lora")))
    data, found = path.read_bytes(), []
    for place in (*range(0, 150, 9), *range(len(data) - 500, len(data), 7)):
        for byte in (0, 99):
            path.write_bytes(data[:place] + bytes([byte]) + data[place + 1 :])
            found.append(refusal(path))
    lines = [line for line in found if line is not None]
    assert len(lines) > len(found) / 10
    assert not any("\n" in line for line in lines)
