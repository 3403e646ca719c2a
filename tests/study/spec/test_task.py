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
        ({"dev": 0.0}, "greater than 0"),
        ({"test": 1}, "less than 1"),
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


def test_dedup_has_two_values() -> None:
    assert TaskSpec().dedup == "none"
    with pytest.raises(ValidationError):
        TaskSpec(dedup="all")
