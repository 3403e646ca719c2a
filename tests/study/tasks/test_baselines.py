"""Classifiers without a backbone: which classes they separate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from study.tasks import Split, Task
from study.tasks.baselines import (
    BASELINES,
    gc_logistic_regression,
    kmer_counts,
    kmer_logistic_regression,
    majority_class,
)
from study.tasks.generated.promoters import generate
from study.tasks.metrics import METRICS


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

    assert [scores[name] for name in ("dev_mcc", "dev_auc", "test_mcc", "test_f1")] == [1.0] * 4
    assert 0 < scores["test_loss"] < 0.2


def test_logistic_regression_scores_near_chance_on_noise():
    rng = np.random.default_rng(1)
    splits = [
        Split(["".join(rng.choice(list("ACGT"), 50)) for _ in range(n)], [0, 1] * (n // 2))
        for n in (100, 400, 400)
    ]
    scores = kmer_logistic_regression(Task("noise", *splits, 2, []), k=3)

    assert abs(scores["test_mcc"]) < 0.15
    assert abs(scores["test_auc"] - 0.5) < 0.08


def test_logistic_regression_accepts_several_and_absent_classes():
    rng = np.random.default_rng(2)
    sequences = ["".join(rng.choice(list("ACGT"), 30)) for _ in range(90)]
    whole = Split(sequences, [0, 1, 2] * 30)
    part = Split(sequences[:20], [0, 1] * 10)

    scores = kmer_logistic_regression(Task("three", whole, part, whole, 3, []), k=3)

    assert np.isnan(scores["dev_auc"])
    assert scores["test_mcc"] > 0.5


def test_the_majority_class_is_the_commonest_of_train():
    skewed = Split(["A", "C", "G"], [1, 1, 0])
    dev, test = Split(["T"] * 4, [0, 0, 0, 1]), Split(["GCGA", "TATT"], [0, 1])
    scores = majority_class(Task("skewed", skewed, dev, test, 2, []))

    assert scores["dev_accuracy"] == 0.25
    assert scores["test_accuracy"] == 0.5
    assert scores["dev_f1"] == pytest.approx(2 / 5)
    assert (scores["dev_mcc"], scores["dev_auc"]) == (0.0, 0.5)
    assert scores["test_loss"] == pytest.approx(-(math.log(1 / 3) + math.log(2 / 3)) / 2)


def of_gc(shares: list[float], rng: np.random.Generator) -> list[str]:
    draws = (rng.random(60) < share for share in shares)
    return ["".join(rng.choice(list("GC" if x else "AT")) for x in row) for row in draws]


def test_gc_content_separates_classes_that_differ_in_it():
    rng = np.random.default_rng(3)
    labels = [0, 1] * 40
    split = Split(of_gc([0.3 + 0.4 * label for label in labels], rng), labels)
    scores = gc_logistic_regression(Task("gc", split, split, split, 2, []))

    assert scores["test_mcc"] > 0.9
    # It uses only the share: other letters with the same share score the same.
    swapped = [s.translate(str.maketrans("ACGT", "TGCA")) for s in split.sequences]
    turned = Task("gc", split, Split(swapped, labels), split, 2, [])
    assert gc_logistic_regression(turned) == pytest.approx(scores)


def test_the_gc_baseline_ignores_the_order_of_letters():
    labels = [0, 1] * 30
    split = Split(["ACGT" * 10 if label else "A" * 10 + "CG" * 10 + "T" * 10 for label in labels],
                  labels)  # fmt: skip
    task = Task("order", split, split, split, 2, [])

    assert gc_logistic_regression(task)["test_mcc"] == 0.0
    assert kmer_logistic_regression(task, k=2)["test_mcc"] == 1.0


def test_a_sequence_without_a_known_letter_counts_as_the_mean():
    train = Split(["AAAA", "GGGG", "NNNN", "ATAT", "GCGC"], [0, 1, 0, 0, 1])
    dev = Split(["NNNN", "ACGT"], [0, 1])
    scores = gc_logistic_regression(Task("n", train, dev, dev, 2, []))

    assert math.isfinite(scores["dev_loss"])
    assert scores["dev_auc"] == 0.5


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_reports_what_a_trial_reports(name):
    task = Task("made", *generate(60, 20, 20, seed=0), 2, [])
    scores = BASELINES[name](task)

    assert list(scores) == [f"{split}_{metric}" for split in ("dev", "test") for metric in METRICS]
    assert scores == BASELINES[name](task)
    assert all(type(value) is float and math.isfinite(value) for value in scores.values())


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_uses_held_out_labels(name):
    train, dev, test = generate(60, 20, 20, seed=0)
    lied = Split(test.sequences, [1 - label for label in test.labels])
    honest, fooled = (
        BASELINES[name](Task("made", train, dev, split, 2, [])) for split in (test, lied)
    )
    assert fooled["test_accuracy"] == pytest.approx(1 - honest["test_accuracy"])
    assert {k: v for k, v in fooled.items() if k.startswith("dev")} == {
        k: v for k, v in honest.items() if k.startswith("dev")
    }
