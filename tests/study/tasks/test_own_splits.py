"""Splits of a user's own tables: from a column, and drawn by share and seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.spec import TaskSpec
from study.tasks import load_task
from tests.study.tasks.own_tables import GOOD, complaint, write_folder


@pytest.mark.parametrize("dev_name", ["dev", "validation", "val", "valid", " Dev "])
def test_a_single_csv_is_split_by_its_column(tmp_path, dev_name):
    rows = ["AC,0,train", "GT,1,train", "AA,0,test", "CC,1,test"]
    rows += [f"TT,0,{dev_name}", f"GG,1,{dev_name}"]
    path = tmp_path / "all.csv"
    path.write_text("sequence,label,split\n" + "\n".join(rows))

    task = load_task(TaskSpec(path=path))

    assert task.name == "all"
    assert task.train.sequences == ["AC", "GT"]
    assert task.dev.sequences == ["TT", "GG"]
    assert task.dev.labels == [0, 1]
    assert task.test.sequences == ["AA", "CC"]


def test_a_single_file_without_a_split_column_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(GOOD)
    message = complaint(path)
    assert "must have the splits train, dev and test, but got no dev and no test; " in message
    assert "; add a column split with train, dev and test, or draw" in message
    assert message.endswith("add --set task.split.dev=0.1 --set task.split.test=0.1")


def write_rows(path: Path, rows: int, columns: str = "sequence,label", more: str = "") -> Path:
    """Different sequences of two classes by turns; `more` are the cells of further columns."""
    letters = ["".join("ACGT"[row >> shift & 3] for shift in (0, 2, 4, 6)) for row in range(rows)]
    lines = [f"AA{word}C,{row % 2}{more}" for row, word in enumerate(letters)]
    path.write_text("\n".join([columns, *lines]))
    return path


def test_one_file_is_split_by_shares_and_a_seed(tmp_path):
    path = write_rows(tmp_path / "all.csv", 100)
    task = load_task(TaskSpec(path=path, split={"dev": 0.1, "test": 0.2}))

    assert [len(split) for _, split in task.splits()] == [70, 10, 20]
    assert task.quality.drawn == {"dev": 10, "test": 20}
    assert "drawn from train by task.split: 10 dev, 20 test" in task.quality.lines()
    assert task == load_task(TaskSpec(path=path, split={"dev": 0.1, "test": 0.2, "seed": 0}))
    other = load_task(TaskSpec(path=path, split={"dev": 0.1, "test": 0.2, "seed": 1}))
    assert other.dev != task.dev


def test_a_missing_dev_file_is_drawn_from_train(tmp_path):
    write_rows(tmp_path / "train.csv", 40)
    write_rows(tmp_path / "test.csv", 10)
    task = load_task(TaskSpec(path=tmp_path, split={"dev": 0.2}))
    assert [len(split) for _, split in task.splits()] == [32, 8, 10]


def test_a_share_of_a_split_that_the_data_have_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path), split={"dev": 0.2})
    assert message.startswith("task.split.dev: must be left out where dev has rows of its own,")

    path = tmp_path / "all.csv"
    path.write_text("sequence,label,split\nAC,0,train\nGT,1,train\nGG,1,test\nCC,0,test\n")
    message = complaint(path, split={"dev": 0.2, "test": 0.2})
    assert message.startswith("task.split.test: must be left out")


def test_a_split_column_has_the_name_given_in_the_spec(tmp_path):
    rows = ["AC,0,Training", "GT,1,train", "AA,0,Testing", "CC,1,test", "TT,0,Val", "GG,1,valid"]
    path = tmp_path / "all.tsv"
    path.write_text("\n".join(["sequence,label,fold", *rows]).replace(",", "\t"))

    assert "but got no dev and no test; add --set task.split.column=fold, or" in complaint(path)
    braces = path.with_name("braces.tsv")
    braces.write_text(path.read_text().replace("fold", "{a b}"))
    assert "; add --set 'task.split.column={a b}', or" in complaint(braces)
    task = load_task(TaskSpec(path=path, split={"column": "fold"}))
    assert task.train.sequences == ["AC", "GT"]
    assert task.dev.sequences == ["TT", "GG"]
    assert task.test.sequences == ["AA", "CC"]
    assert "must have a column 'set', but got sequence, label, fold; correct task.split" in (
        complaint(path, split={"column": "set"})
    )


def test_a_split_column_of_a_folder_causes_a_warning(tmp_path):
    task = load_task(TaskSpec(path=write_folder(tmp_path), split={"column": "fold"}))
    assert task.warnings == ["task.split.column is not used: the files of a folder are its splits"]
