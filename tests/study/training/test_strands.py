"""Both strands: the one that training reads, and the average of both in evaluation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from study.training.batches import BatchOrder, collate
from study.training.encoding import EncodedSplit, EncodedTask, encode_split
from tests.study.training.tiny_trials import (
    CPU,
    FAMILIES,
    PAD,
    assert_same,
    tiny_backbone,
    tiny_split,
    tiny_task,
    tiny_trial,
    trained,
)

ONE = encode_split([[5, 6, 7], [8], [9, 10]], [0, 1, 1])
OTHER = encode_split([[15, 16], [17, 18, 19], [20]], [0, 1, 1])


def both(split: EncodedSplit, other: EncodedSplit | None = None) -> EncodedSplit:
    """Returns the split with `other`, or its reversed rows, as the other strand."""
    backwards = [split.row(i)[::-1].tolist() for i in range(len(split))]
    return replace(split, reverse_complement=other or encode_split(backwards, split.labels))


def both_task(*names: str, rows: int = 22) -> EncodedTask:
    task = tiny_task(rows)
    return replace(task, **{name: both(getattr(task, name)) for name in names})


def flips(order: BatchOrder, epoch: int) -> dict[int, bool]:
    """Row -> whether the epoch reads it from the other strand."""
    first = 1 + epoch * order.batches_per_epoch
    steps = range(first, first + order.batches_per_epoch)
    return {
        int(row): bool(flip)
        for step in steps
        for row, flip in zip(order[step], order.flipped(step), strict=True)
    }


# Batches


def test_flipped_rows_of_a_batch_come_from_the_other_strand() -> None:
    rows, flipped = np.array([2, 0, 1]), np.array([True, False, True])
    batch = collate(both(ONE, OTHER), rows, PAD, CPU, causal=False, flipped=flipped)
    assert batch["input_ids"].tolist() == [[20, 1, 1], [5, 6, 7], [17, 18, 19]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 1]]
    assert batch["labels"].tolist() == [1, 0, 1]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 7), grouped=st.booleans())
def test_the_strand_of_a_row_depends_on_seed_epoch_and_row_only(
    seed: int, batch: int, grouped: bool
) -> None:
    split = tiny_split(30, seed=0)
    shorter = both(encode_split([split.row(i).tolist() for i in range(11)], split.labels[:11]))
    here = BatchOrder(both(split), batch, seed, grouped)
    there = BatchOrder(both(split), 4, seed, not grouped)
    small = BatchOrder(shorter, 5, seed, False)
    for epoch in (3, 0, 1):
        coins = flips(here, epoch)
        assert coins == flips(there, epoch)
        assert {row: coins[row] for row in range(11)} == flips(small, epoch)


def test_the_strands_are_equally_frequent_and_independent() -> None:
    rows, epochs = 80, 60
    order = BatchOrder(both(tiny_split(rows, seed=0)), 20, 7, group_by_length=False)
    coins = [flips(order, epoch) for epoch in range(epochs)]
    draws_of_rows = np.array([[epoch[row] for row in range(rows)] for epoch in coins])
    five_sd = 5 * 0.5
    assert abs(draws_of_rows.sum() - rows * epochs / 2) < five_sd * (rows * epochs) ** 0.5
    assert (abs(draws_of_rows.sum(axis=0) - epochs / 2) < five_sd * epochs**0.5).all()
    assert (abs(draws_of_rows.sum(axis=1) - rows / 2) < five_sd * rows**0.5).all()
    agree = (
        (draws_of_rows[1:] == draws_of_rows[:-1]).mean(),
        (draws_of_rows[:, 1:] == draws_of_rows[:, :-1]).mean(),
    )
    assert np.allclose(agree, 0.5, atol=five_sd / (rows * (epochs - 1)) ** 0.5)


def test_the_strands_of_two_seeds_differ() -> None:
    split = both(tiny_split(60, seed=0))
    first, second = (flips(BatchOrder(split, 4, seed, False), 0) for seed in (0, 1))
    assert 10 < sum(first[row] != second[row] for row in range(60)) < 50


def test_a_split_of_one_strand_is_never_flipped() -> None:
    order = BatchOrder(tiny_split(30, seed=0), 4, 0, False)
    assert not any(flips(order, 0).values())


@pytest.mark.parametrize("grouped", [False, True])
def test_the_other_strand_does_not_change_the_order_of_rows(grouped: bool) -> None:
    split = tiny_split(50, seed=0)
    plain, augmented = (BatchOrder(s, 4, 3, grouped) for s in (split, both(split)))
    steps = range(1, 40)
    assert [plain[s].tolist() for s in steps] == [augmented[s].tolist() for s in steps]


# Training


def test_training_on_equal_strands_equals_training_on_one() -> None:
    task = tiny_task()
    same = replace(task, train=both(task.train, task.train))
    plain, augmented = tiny_trial(task=task, dropout=0.2), tiny_trial(task=same, dropout=0.2)
    assert plain.train_until(12) == augmented.train_until(12)
    assert_same(trained(augmented), trained(plain))
    assert_same(augmented.allocator.trace(), plain.allocator.trace())


def test_the_other_strand_is_trained_on() -> None:
    task = tiny_task()
    settings = {"lr": 5e-3, "reports": 1}
    plain = tiny_trial("fmft", task=task, **settings)
    augmented = tiny_trial("fmft", task=both_task("train"), **settings)
    seen: list[torch.Tensor] = []
    forward = augmented.model.forward

    def spy(*args: Any, **batch: Any) -> Any:
        seen.append(batch["input_ids"])
        return forward(*args, **batch)

    augmented.model.forward = spy
    plain.train_until(3), augmented.train_until(3)
    train, flipped = augmented.data.train, 0
    for step, ids in enumerate(seen, start=1):
        for row, flip, tokens in zip(
            augmented.order[step], augmented.order.flipped(step), ids, strict=True
        ):
            strand = train.reverse_complement if flip else train
            assert tokens[: len(strand.row(row))].tolist() == strand.row(row).tolist()
            flipped += flip
    assert 0 < flipped < 12
    assert any(not torch.equal(a, b) for a, b in zip(
        trained(plain).values(), trained(augmented).values(), strict=True))  # fmt: skip


def test_the_masks_of_a_mask_seed_do_not_depend_on_the_strands() -> None:
    # With a budget of all triplets only the random draws decide which ones are dropped.
    draws = {"p": 0.5, "b0": 4, "bT": 4}
    plain, augmented = (tiny_trial(task=t, **draws) for t in (tiny_task(), both_task("train")))
    plain.train_until(12), augmented.train_until(12)
    assert 0 < plain.allocator.trace()[0]["dropped"] < plain.allocator.trace()[0]["budget"]
    assert_same(augmented.allocator.trace(), plain.allocator.trace())


# Evaluation


@pytest.mark.parametrize("family", FAMILIES)
def test_the_average_of_two_equal_strands_is_that_of_one(family: str) -> None:
    task = tiny_task()
    same = replace(task, dev=both(task.dev, task.dev))
    trial = tiny_trial("linear_probe", on=tiny_backbone(family), task=same)
    plain = torch.from_numpy(trial.logits(task.dev)).log_softmax(dim=-1)
    torch.testing.assert_close(torch.from_numpy(trial.logits(same.dev)), plain)
    assert trial.evaluate(same.dev) == pytest.approx(trial.evaluate(task.dev))


def test_the_logits_of_two_strands_are_the_mean_of_their_probabilities() -> None:
    task = both_task("dev")
    trial = tiny_trial("fmft", task=task, lr=3e-2)
    trial.train_until(4)
    one, other = replace(task.dev, reverse_complement=None), task.dev.reverse_complement
    strands = [torch.from_numpy(trial.logits(s)).softmax(dim=-1) for s in (one, other)]
    assert not torch.allclose(*strands, atol=1e-3)
    found = torch.from_numpy(trial.logits(task.dev)).exp()
    torch.testing.assert_close(found, (strands[0] + strands[1]) / 2)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(len(one)))


def test_exchanging_the_strands_of_dev_changes_no_score() -> None:
    task = both_task("dev")
    turned = replace(task.dev.reverse_complement, reverse_complement=replace(
        task.dev, reverse_complement=None))  # fmt: skip
    trial = tiny_trial("fmft", task=task, lr=3e-2)
    trial.train_until(6)
    assert trial.evaluate(turned) == pytest.approx(trial.evaluate(task.dev), rel=1e-5)
    one, other = (replace(s, reverse_complement=None) for s in (task.dev, turned))
    assert trial.evaluate(one)["loss"] != pytest.approx(trial.evaluate(other)["loss"], rel=1e-3)


def test_the_average_of_infinite_logits_is_not_finite() -> None:
    trial = tiny_trial("linear_probe", task=both_task("dev"))
    with torch.no_grad():
        trial.model.score.weight.fill_(float("inf"))
    assert np.isnan(trial.evaluate(trial.data.dev)["loss"])


# Fingerprint


def test_the_fingerprint_depends_on_the_other_strand() -> None:
    plain, dev, train = tiny_task(), both_task("dev"), both_task("train")
    prints = {task.fingerprint() for task in (plain, dev, train, both_task("dev", "train"))}
    assert len(prints) == 4
    assert tiny_task().fingerprint() == plain.fingerprint()
    changed = replace(dev.dev.reverse_complement)
    changed.tokens[0] += 1
    assert replace(dev, dev=both(dev.dev, changed)).fingerprint() not in prints
