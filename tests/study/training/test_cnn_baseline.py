"""The convolutional network with which every study is compared."""

import numpy as np
import pytest
import torch

from study.tasks import Task
from study.tasks.split import Split
from study.training import cnn_baseline
from study.training.cnn_baseline import Stopped, cnn, is_too_large


def split(rows: int, seed: int, classes: int = 2, lengths: tuple[int, int] = (20, 40)) -> Split:
    """Random sequences; those of class k > 0 contain the k-th motif."""
    generator = np.random.default_rng(seed)
    sequences, labels = [], []
    for row in range(rows):
        letters = generator.choice(list("ACGT"), size=generator.integers(*lengths))
        label = row % classes
        if label:
            place = generator.integers(0, len(letters) - 6)
            letters[place : place + 6] = list(("TATAAT", "CCGGCC")[label - 1])
        sequences.append("".join(letters))
        labels.append(label)
    return Split(sequences, labels)


def task(classes: int = 2, train: int = 300) -> Task:
    splits = (split(rows, seed, classes) for seed, rows in enumerate((train, 100, 120)))
    return Task("motifs", *splits, num_labels=classes, warnings=[])


def test_it_finds_motifs_wherever_they_are_and_is_a_function_of_the_task() -> None:
    threads, state = torch.get_num_threads(), torch.default_generator.get_state()
    scores = cnn(task(3, 200))
    assert scores["test_mcc"] > 0.7
    assert {name.partition("_")[0] for name in scores} == {"dev", "test"}
    assert cnn(task(3, 200)) == scores
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.default_generator.get_state(), state)


def test_the_budget_bounds_steps_and_batches_of_every_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = []
    for rows, length in ((100, 10), (50_000, 500), (20, 100_000), (3, 0)):
        plan = cnn_baseline._plan(Split(["A" * length] * rows, [0] * rows))
        read = plan.steps * plan.rows
        assert read <= cnn_baseline.PASSES * max(rows, plan.rows)
        assert read * length <= cnn_baseline.TRAINED_BASES + plan.rows * length
        assert plan.rows * length <= max(length, cnn_baseline.BATCH_BASES)
        steps.append(plan.steps)
    assert min(steps) >= 1
    monkeypatch.setattr(cnn_baseline, "SCORED_BASES", 100)
    assert is_too_large(task(train=10))


def test_it_stops_when_it_is_asked_to() -> None:
    calls = iter([False, False, True])
    with pytest.raises(Stopped):
        cnn(task(), lambda: next(calls))
