"""The baselines that every study computes at its start."""

import pytest

from study.engine import baselines
from study.spec.task import TaskSpec

TINY = TaskSpec(name="promoters", train=64, dev=32, test=32)


def test_the_baselines_are_computed_in_a_thread() -> None:
    found = baselines.measured_in_background(TINY).result(timeout=60)
    assert list(found) == ["majority", "kmer"]
    assert found["majority"]["dev_mcc"] == 0.0
    assert {"dev_mcc", "test_mcc", "test_auc"} <= set(found["kmer"])


def test_a_large_task_has_no_counts_of_5_mers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_ROWS", 127)
    assert list(baselines.measure(TINY)) == ["majority"]
