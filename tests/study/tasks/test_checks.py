"""Warnings about suspicious but allowed data."""

from __future__ import annotations

import subprocess
import sys

from study.tasks import Split, checks
from study.tasks.quality import measure
from study.tasks.split import reverse_complement

TRAIN = Split(["AACC", "ACGT", "GATT", "TTTG"], [0, 1, 0, 1])
DEV = Split(["CCCC", "AGAG"], [0, 1])
TEST = Split(["GCGA", "TATT"], [0, 1])


def data_warnings(train: Split, dev: Split, test: Split, num_labels: int) -> list[str]:
    return checks.data_warnings(measure(train, dev, test, num_labels))


def test_clean_splits_raise_no_warning():
    assert data_warnings(TRAIN, DEV, TEST, 2) == []


def test_the_reverse_complement_reverses_and_keeps_n():
    assert reverse_complement("AACGTN") == "NACGTT"
    assert reverse_complement(reverse_complement("GATTACAN")) == "GATTACAN"


def test_sequences_in_two_splits_are_counted_once_each():
    dev = Split(["AACC", "AACC", "GATT", "AGAG"], [0, 0, 0, 1])
    assert data_warnings(TRAIN, dev, TEST, 2) == [
        "train and dev share 2 sequences: dev scores are too good"
    ]


def test_reverse_complements_in_two_splits_are_counted_apart():
    test = Split(["GGTT", "TATT", "AGAG"], [0, 1, 1])
    assert data_warnings(TRAIN, DEV, test, 2) == [
        "train and test share 0 sequences, 1 more as reverse complement: test scores are too good",
        "dev and test share 1 sequence: test scores are too good",
    ]


def test_a_palindrome_in_two_splits_counts_as_the_same_strand():
    test = Split(["ACGT", "TATT"], [1, 0])
    (warning,) = data_warnings(TRAIN, DEV, test, 2)
    assert warning == "train and test share 1 sequence: test scores are too good"


def test_conflicting_labels_are_counted_within_and_between_splits():
    train = Split(["AACC", "AACC", "GATT", "TTTG"], [0, 1, 0, 1])
    test = Split(["GATT", "TATT"], [1, 0])
    warnings = data_warnings(train, DEV, test, 2)
    assert "2 sequences with different labels: no model gets both right" in warnings


def test_a_rare_class_is_named_with_its_share():
    train = Split([f"{'ACGT'[i % 4]}{'A' * i}" for i in range(100)], [0] * 91 + [1] * 9)
    (warning,) = data_warnings(train, DEV, TEST, 2)
    assert warning == "class 1 is 9.0 % of train: read MCC and F1, not accuracy"

    even = Split(train.sequences, [0] * 90 + [1] * 10)
    assert data_warnings(even, DEV, TEST, 2) == []


def test_importing_the_tasks_loads_no_heavy_library():
    code = (
        "import sys, study.tasks; "
        "print([m for m in ('torch', 'pandas', 'sklearn', 'transformers', 'ray', 'pydantic')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
