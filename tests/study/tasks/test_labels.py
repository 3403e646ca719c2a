"""Labels that are numbers, and those that are names of classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import load_task
from study.tasks.labels import numbered_labels
from tests.study.tasks.test_own_files import complaint, write_folder


def rows(*labels: str) -> str:
    cells = (f"{'ACGT'[place % 4]},{label}" for place, label in enumerate(labels))
    return "\n".join(["sequence,label", *cells])


def folder(path: Path, train: str, *others: str) -> Path:
    dev, test = others or (train, train)
    return write_folder(path, train=train, dev=dev, test=test)


@pytest.mark.parametrize("zero", ["0", "0.0", "0.", "00", "0.000"])
def test_whole_numbers_may_have_a_decimal_point(tmp_path, zero):
    task = load_task(TaskSpec(path=folder(tmp_path, rows(zero, "1.0", "2", "1"))))
    assert task.train.labels == [0, 1, 2, 1]
    assert task.classes == ()


@pytest.mark.parametrize(
    "names", [("False", "True"), ("negative", "positive"), ("non-promoter", "promoter"), "+-"]
)
def test_names_are_numbered_in_sorted_order_in_all_splits(tmp_path, names):
    first, second = names
    train, dev, test = rows(second, first, second), rows(first, second), rows(second, first)
    task = load_task(TaskSpec(path=folder(tmp_path, train, dev, test)))

    assert task.classes == (first, second)
    assert task.train.labels == [1, 0, 1]
    assert task.dev.labels == [0, 1]
    assert task.test.labels == [1, 0]
    assert task.quality.record()["classes"] == (first, second)
    assert f"class {first} 33.3%" in task.quality.lines()[0]


def test_messages_and_warnings_name_the_class(tmp_path):
    train = rows("a", "b", "c", "b")
    task = load_task(TaskSpec(path=folder(tmp_path, train, rows("a", "b"), rows("b", "c"))))
    assert "dev has no row of class c" in task.warnings
    assert "test has no row of class a" in task.warnings
    message = complaint(folder(tmp_path, train, rows("b", "b"), train))
    assert "dev must have two classes or more for scores to mean anything" in message
    assert "but got only label b; " in message


@pytest.mark.parametrize("label", ["", "NA", "N/A", "null", "[0, 1]", "{a}", "a\x1b[1m", "A" * 41])
def test_a_label_that_is_no_name_is_refused(tmp_path, label):
    message = complaint(folder(tmp_path, rows("a", "b", f'"{label}"')))
    assert "train.csv:4: label must be one class in every row, by its number or name" in message
    assert f"but got {label[:20]!r}"[:-1] in message.replace("\\\\", "\\")


def test_numbers_and_names_are_not_mixed(tmp_path):
    train = folder(tmp_path, rows("0", "1", "b"))
    assert "train.csv:4: label must be a whole number 0, 1, .. where any label is a n" in (
        complaint(train)
    )
    message = complaint(folder(tmp_path, rows("a", "b"), rows("0", "1"), rows("a", "b")))
    assert "train.csv:2: label must be a whole number" in message


@pytest.mark.parametrize("labels", [("-1", "1"), ("0.5", "1.25"), ("nan", "0"), ("1e3", "0")])
def test_numbers_that_are_no_classes_are_refused(tmp_path, labels):
    message = complaint(folder(tmp_path, rows(*labels)))
    assert "label must be a whole number 0, 1, .. where" in message


def test_a_name_that_train_lacks_is_refused_with_its_line(tmp_path):
    message = complaint(folder(tmp_path, rows("a", "b"), rows("a", "b", "x"), rows("a", "b")))
    assert "dev.csv:4: label must be a label of train, a, b, but got 'x' (line 4); " in message


def test_names_that_differ_in_case_alone_are_refused(tmp_path):
    message = complaint(folder(tmp_path, rows("Promoter", "other", "promoter")))
    assert "label must name each class in one way, but got 'Promoter' and 'promoter';" in message


def test_a_class_that_is_dropped_from_train_is_named(tmp_path):
    path = folder(tmp_path, rows("a", "b", "c"), *2 * [rows("a", "b")])
    (path / "train.csv").write_text("sequence,label\nA,a\nG,b\nC,c\nGG,b\nGA,c\n")
    with pytest.raises(
        InputError, match=r"must have rows of every class, but got none of class a, which dev has"
    ):
        load_task(TaskSpec(path=path, dedup="drop_from_train"))


def test_the_names_are_those_of_train(tmp_path):
    from study.csv_table import Table

    tables = {
        "train": Table(tmp_path, [2, 3], {"y": ["b", "a"]}),
        "test": Table(tmp_path, [2], {"y": ["b"]}),
    }
    assert numbered_labels(tables, "y") == ({"train": [1, 0], "test": [1]}, ("a", "b"))
