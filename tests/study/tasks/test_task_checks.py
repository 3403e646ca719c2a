"""Warnings about suspicious but allowed data, and the k-mer floors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from study.tasks import Split, Task
from study.tasks.baselines import kmer_counts, kmer_logistic_regression, majority_class
from study.tasks.checks import data_warnings, reverse_complement

TRAIN = Split(["AACC", "ACGT", "GATT", "TTTG"], [0, 1, 0, 1])
DEV = Split(["CCCC", "AGAG"], [0, 1])
TEST = Split(["GCGA", "TATT"], [0, 1])


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


def test_kmers_are_counted_with_overlaps_and_without_n():
    counts = kmer_counts(["AAAC", "ANAC", "A", "ACGT"], 2)
    words = [
        "".join(pair)
        for pair in np.stack(np.meshgrid(list("ACGT"), list("ACGT"), indexing="ij"), -1).reshape(
            -1, 2
        )
    ]
    found = [{word: int(n) for word, n in zip(words, row, strict=True) if n} for row in counts]
    assert found == [{"AA": 2, "AC": 1}, {"AC": 1}, {}, {"AC": 1, "CG": 1, "GT": 1}]


def separable(rows: int, rng: np.random.Generator) -> Split:
    labels = (np.arange(rows) % 2).tolist()
    letters = {0: list("AATC"), 1: list("GGTC")}
    return Split(["".join(rng.choice(letters[label], 60)) for label in labels], labels)


def test_logistic_regression_separates_what_k_mers_separate():
    rng = np.random.default_rng(0)
    task = Task("easy", *(separable(rows, rng) for rows in (80, 20, 20)), 2, [])

    scores = kmer_logistic_regression(task, k=2)

    assert scores == {"dev_mcc": 1.0, "dev_auc": 1.0, "test_mcc": 1.0, "test_auc": 1.0}


def test_logistic_regression_finds_nothing_in_noise():
    rng = np.random.default_rng(1)
    splits = [
        Split(["".join(rng.choice(list("ACGT"), 50)) for _ in range(n)], [0, 1] * (n // 2))
        for n in (100, 400, 400)
    ]
    scores = kmer_logistic_regression(Task("noise", *splits, 2, []), k=3)

    assert abs(scores["test_mcc"]) < 0.15
    assert abs(scores["test_auc"] - 0.5) < 0.08


def test_logistic_regression_takes_more_classes_and_absent_ones():
    rng = np.random.default_rng(2)
    sequences = ["".join(rng.choice(list("ACGT"), 30)) for _ in range(90)]
    whole = Split(sequences, [0, 1, 2] * 30)
    part = Split(sequences[:20], [0, 1] * 10)

    scores = kmer_logistic_regression(Task("three", whole, part, whole, 3, []), k=3)

    assert np.isnan(scores["dev_auc"])
    assert scores["test_mcc"] > 0.5


def test_the_majority_class_is_the_commonest_of_train():
    skewed = Split(["A", "C", "G"], [1, 1, 0])
    task = Task("skewed", skewed, Split(["T"] * 4, [0, 0, 0, 1]), TEST, 2, [])

    assert majority_class(task) == pytest.approx({"dev_accuracy": 0.25, "test_accuracy": 0.5})
