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


def test_dedup_has_two_values() -> None:
    assert TaskSpec().dedup == "none"
    with pytest.raises(ValidationError):
        TaskSpec(dedup="all")
