"""Measurements of the data, on small splits and against slow counting."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.spec import TaskSpec
from study.tasks import Split, load_task
from study.tasks.quality import SharedRows, conflicting, gc_content, measure
from study.tasks.split import reverse_complement

TRAIN = Split(["AACC", "AACC", "GGTT", "GCGC", "ATTT", "ATTT"], [0, 1, 0, 1, 0, 0])
DEV = Split(["AACC", "AAAA", "CCCCCC"], [0, 1, 1])
TEST = Split(["AAAT", "TTTT"], [0, 1])

SEQUENCES = st.lists(st.text("ACG", min_size=1, max_size=3), min_size=1, max_size=12)
SPLITS = SEQUENCES.map(lambda s: Split(s, [len(x) % 2 for x in s]))


def test_counts_of_a_split_equal_hand_computed_values():
    train = measure(TRAIN, DEV, TEST, 2).splits["train"]
    assert (train.rows, train.class_rows, train.bases) == (6, (4, 2), (4, 4.0, 4))
    assert train.gc_mean == pytest.approx((0.25, 0.75))
    assert train.gc_sd == pytest.approx((0.25, 0.25))
    assert train.copies == 2  # AACC and ATTT once more
    assert train.reverse_copies == 1  # AACC and GGTT; GCGC is its own
    assert train.conflicts == 1


def test_what_splits_share_is_counted_on_both_strands():
    quality = measure(TRAIN, DEV, TEST, 2)
    assert quality.shared == {
        ("train", "dev"): SharedRows(1, 0),
        ("train", "test"): SharedRows(0, 1),
        ("dev", "test"): SharedRows(0, 1),
    }
    assert quality.conflicts == 1


def test_labels_may_conflict_between_splits():
    assert conflicting(Split(["A"], [0]), Split(["A"], [1])) == {"A"}
    assert conflicting(Split(["AC"], [0]), Split(["GT"], [1])) == set()


def test_a_class_without_rows_has_no_gc_content():
    dev = measure(TRAIN, DEV, TEST, 3).splits["dev"]
    assert dev.class_rows == (1, 2, 0)
    assert math.isnan(dev.gc_mean[2])
    assert math.isnan(dev.gc_sd[2])


def test_gc_content_leaves_n_out():
    content = gc_content(["GCAT", "GNNN", "NAAA", "GGGANN"])
    assert content.tolist() == [0.5, 1.0, 0.0, 0.75]
    assert np.isnan(gc_content(["NN"])).all()


@settings(max_examples=60)
@given(one=SPLITS, two=SPLITS)
def test_copies_are_those_of_slow_counting(one: Split, two: Split):
    quality = measure(one, two, two, 2)
    sequences, others = one.sequences, sorted(set(two.sequences))
    split = quality.splits["train"]
    assert split.copies == sum(s in sequences[:i] for i, s in enumerate(sequences))
    distinct = sorted(set(sequences))
    pairs = [(a, b) for a in distinct for b in distinct if a < b and a == reverse_complement(b)]
    assert split.reverse_copies == len(pairs)
    reverse = list(map(reverse_complement, sequences))
    assert quality.shared["train", "dev"] == SharedRows(
        sum(s in sequences for s in others),
        sum(s in reverse and s not in sequences for s in others),
    )


@settings(max_examples=30)
@given(split=SPLITS)
def test_reading_the_other_strand_changes_no_count(split: Split):
    flipped = Split(list(map(reverse_complement, split.sequences)), split.labels)
    before, after = (measure(s, s, s, 2).record() for s in (split, flipped))
    assert json.dumps(before) == json.dumps(after)


def test_the_text_has_only_the_measurements_that_are_not_zero():
    quality = replace(measure(TRAIN, DEV, TEST, 2), dropped={"copies": 3})
    train, dev, test, shared, dropped = quality.lines()
    assert train == (
        "train: 6 sequences of 4 bases, class 0 66.7% (GC 0.25 ± 0.25), "
        "class 1 33.3% (GC 0.75 ± 0.25), copies: 2, on both strands: 1, with different labels: 1"
    )
    assert dev.startswith("dev: 3 sequences of 4 to 6 (median 4) bases, class 0 33.3%")
    assert "copies" not in test
    assert shared == (
        "shared: train and dev 1; train and test 0 (and 1 on the other strand); "
        "dev and test 0 (and 1 on the other strand); with different labels: 1 in all"
    )
    assert dropped == "dropped from train: 3 rows (3 copies)"


def test_splits_without_anything_in_common_share_nothing():
    splits = (Split([letter * 3, letter * 4], [0, 1]) for letter in ("AC", "AG", "CA"))
    assert measure(*splits, 2).lines()[-1] == "shared: nothing"


def test_each_of_many_classes_has_a_line_of_its_own():
    splits = [Split(["ACGT", "GGGG", "CCCC", "AAAA", "TTTT"], [0, 1, 2, 3, 3]),
              Split(["ACGA", "GGGA"], [0, 1]), Split(["ACGG", "GGGT"], [2, 3])]  # fmt: skip
    lines = measure(*splits, 4, ("a", "b", "c", "d")).lines()
    assert lines[0] == "train: 5 sequences of 4 bases, on both strands: 2"
    assert lines[3:8] == [
        "classes: shares of train / dev / test (GC in train)",
        "a: 20.0% / 50.0% / 0.0% (GC 0.50 ± 0.00)",
        "b: 20.0% / 50.0% / 0.0% (GC 1.00 ± 0.00)",
        "c: 20.0% / 0.0% / 50.0% (GC 1.00 ± 0.00)",
        "d: 40.0% / 0.0% / 50.0% (GC 0.00 ± 0.00)",
    ]


def test_the_record_is_json_and_the_loaded_task_carries_it():
    task = load_task(TaskSpec(train=20, dev=10, test=10))
    assert task.quality == measure(task.train, task.dev, task.test, 2)
    record = json.loads(json.dumps(task.quality.record()))
    assert record["splits"]["train"]["class_rows"] == [10, 10]
    assert record["shared"]["train, dev"] == {"same": 0, "reverse": 0}
    assert (record["conflicts"], record["dropped"]) == (0, {})
