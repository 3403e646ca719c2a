"""Real data beside the project: row counts, known blemishes, the published k-mer floors."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from study.spec import TaskSpec
from study.tasks import Task, load_task
from study.tasks.baselines import gc_logistic_regression, kmer_logistic_regression

DATA = Path(__file__).parents[4] / "shared" / "data"

NEAR = "scores may be too good; task.dedup: near takes such rows out of train"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside the project"),
]


@cache
def load(folder: str) -> Task:
    return load_task(TaskSpec(path=DATA / folder))


@pytest.mark.parametrize(
    ("folder", "rows"),
    [
        ("gue_prom_300_tata", [4904, 613, 613]),
        ("emp_h3_reduced", [2285, 403, 1497]),
        ("emp_h3_bychrom", [3037, 358, 656]),
    ],
)
def test_every_row_of_the_real_tasks_is_read(folder, rows):
    task = load(folder)
    assert [len(split) for _, split in task.splits()] == rows
    assert task.num_labels == 2
    assert task.name == folder


def test_the_real_tata_promoters_have_the_published_rows():
    folder = "gue_prom_300_tata"
    task = load_task(TaskSpec(name="prom/tata", path=DATA / folder))
    assert (task.name, task.warnings) == ("prom/tata", load(folder).warnings)


def test_a_reduced_task_causes_a_warning_with_both_row_counts():
    task = load_task(TaskSpec(name="emp/H3", path=DATA / "emp_h3_reduced"))
    assert "train 2285 instead of 11971, dev 403 instead of 1497;" in task.warnings[0]


def test_the_known_blemishes_of_the_tata_promoters_are_reported():
    assert load("gue_prom_300_tata").warnings == [
        "train and dev share 14 sequences: dev scores are too good",
        "train and test share 6 sequences: test scores are too good",
        f"40 sequences of dev have a near copy in train: dev {NEAR}",
        f"31 sequences of test have a near copy in train: test {NEAR}",
        "15 sequences with different labels: no model gets both right",
    ]


@pytest.mark.parametrize(
    ("folder", "test_mcc"), [("gue_prom_300_tata", 0.41), ("emp_h3_bychrom", 0.63)]
)
def test_k_mer_regression_reaches_its_known_floor(folder, test_mcc):
    scores = kmer_logistic_regression(load(folder))
    assert scores["test_mcc"] == pytest.approx(test_mcc, abs=0.02)


def test_the_quality_of_the_tata_promoters_is_as_known():
    quality = load("gue_prom_300_tata").quality
    shared = {pair: (found.same, found.reverse) for pair, found in quality.shared.items()}
    assert shared == {
        ("train", "dev"): (14, 0),
        ("train", "test"): (6, 0),
        ("dev", "test"): (0, 0),
    }
    assert quality.conflicts == 15
    train = quality.splits["train"]
    assert (train.rows, train.copies, train.reverse_copies, train.conflicts) == (4904, 56, 0, 10)
    assert train.bases == (300, 300.0, 300)
    negatives, positives = train.gc_mean
    assert positives - negatives == pytest.approx(0.045, abs=0.01)


def test_the_tata_promoters_have_no_leaks_after_deduplication():
    before = load("gue_prom_300_tata")
    task = load_task(TaskSpec(path=DATA / "gue_prom_300_tata", dedup="near"))
    dropped = {"in dev or test": 20, "with different labels": 20, "copies": 46}
    dropped["near copies of dev or test"] = 58
    assert task.quality.dropped == dropped
    assert len(task.train) == 4904 - sum(dropped.values())
    assert (task.dev, task.test) == (before.dev, before.test)
    assert task.warnings == []
    assert task.quality.conflicts == 0


def test_gc_content_predicts_h3_better_than_the_tata_promoters():
    scores = {name: gc_logistic_regression(load(name))["test_mcc"] for name in (
        "gue_prom_300_tata", "emp_h3_bychrom")}  # fmt: skip
    assert scores["gue_prom_300_tata"] == pytest.approx(0.08, abs=0.03)
    assert scores["emp_h3_bychrom"] == pytest.approx(0.49, abs=0.03)
