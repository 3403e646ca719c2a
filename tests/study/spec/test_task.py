"""The defaults of a task by its name: whether both strands are used."""

import pytest
from pydantic import ValidationError

from study.spec import TaskSpec


def named(name: str, **settings: bool) -> TaskSpec:
    """A task of a name that need not be known yet."""
    return TaskSpec(**settings).model_copy(update={"name": name})


@pytest.mark.parametrize("name", ["emp/H3", "emp/H3K4me3", "emp/H4ac", "nt/H3", "nt/H4ac"])
def test_histone_tasks_are_read_on_both_strands(name: str) -> None:
    task = named(name)
    assert (task.augments_rc, task.averages_rc) == (True, True)
    assert not named(name, rc_augment=False).augments_rc
    assert not named(name, rc_average=False).averages_rc
    assert named(name, rc_augment=False).averages_rc


@pytest.mark.parametrize("name", ["promoters", "prom/tata", "nt/promoter_all", "nt/enhancers"])
def test_oriented_tasks_are_read_as_they_are(name: str) -> None:
    task = named(name)
    assert (task.augments_rc, task.averages_rc) == (False, False)
    assert named(name, rc_augment=True).augments_rc
    assert named(name, rc_average=True).averages_rc


def test_a_task_from_a_path_uses_one_strand_by_default() -> None:
    task = TaskSpec(path="emp/H3")
    assert (task.augments_rc, task.averages_rc) == (False, False)
    assert TaskSpec(path="x", rc_augment=True).augments_rc


@pytest.mark.parametrize(
    ("split", "rule"),
    [
        ({}, "must have dev, test or column, but got none of them"),
        ({"seed": 3}, "must have dev, test or column, but got none of them"),
        ({"dev": 0.5, "test": 0.5}, "dev and test must leave rows for train, but got 0.5 and 0.5"),
        ({"dev": 0.0}, "must be a share of train in .*, or a list .*, but got 0.0; e.g. 0.1 or"),
        ({"test": 1}, "must be a share of train in .* values of column, but got 1; e.g. 0.1 or"),
        (
            {"dev": []},
            "must be a share of train in .* or a list of different values .* got \\[\\]",
        ),
        ({"dev": ["a", "a"], "column": "c"}, "a list of different values of column, but got"),
        ({"dev": "chr8", "column": "c"}, "or a list .*, but got 'chr8'; e.g. 0.1 or \\[chr8\\]"),
        ({"dev": ["chr8"]}, "must be there with values in dev, but got only \\['chr8'\\]; add e"),
        ({"dev": ["a"], "test": ["a"], "column": "c"}, "must have different values, but got 'a'"),
        ({"dev": 0.1, "test": 0.1, "column": "c"}, "left out where dev and test are both shares"),
        ({"column": "c", "group": "g"}, "must be left out unless dev or test is a share, but got"),
        ({"dev": 0.1, "fold": 1}, "must be a known key, but got 'fold'"),
        ("split", "must be a mapping of keys to values, but got 'split'"),
    ],
)
def test_a_split_is_shares_below_one_or_a_column(split: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        TaskSpec(path="x", split=split)


@pytest.mark.parametrize("source", [{}, {"name": "prom/tata"}, {"name": "emp/H3", "path": "x"}])
def test_a_split_needs_own_data(source: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="must be left out unless the data are a file or"):
        TaskSpec(**source, split={"dev": 0.1})


def test_the_split_column_of_earlier_specs_is_read() -> None:
    assert TaskSpec(path="x", split_column="fold") == TaskSpec(path="x", split={"column": "fold"})
    assert TaskSpec(path="x", split_column="split") == TaskSpec(path="x")
    assert TaskSpec(split_column="fold") == TaskSpec()


def test_the_columns_of_earlier_specs_are_read() -> None:
    columns = {"sequence": "dna", "label": "y"}
    earlier = TaskSpec(path="x", sequence_column="dna", label_column="y")
    assert earlier == TaskSpec(path="x", columns=columns)
    assert TaskSpec(label_column="y", columns=columns) == TaskSpec(columns=columns)
    with pytest.raises(ValidationError, match=r"left out where columns is there, but got 'z'"):
        TaskSpec(label_column="z", columns=columns)


def test_values_of_a_split_are_texts() -> None:
    split = TaskSpec(path="x", split={"column": "c", "dev": [8, "X"], "test": 0.1}).split
    assert (split.values, split.shares) == ({"dev": ("8", "X")}, {"test": 0.1})


def test_dedup_has_two_values() -> None:
    assert TaskSpec().dedup == "none"
    with pytest.raises(ValidationError):
        TaskSpec(dedup="all")
