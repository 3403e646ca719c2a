"""Tokenised splits, their batches and the order of the rows."""

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.training.batches import BatchOrder, collate, evaluation_batches
from study.training.encoding import encode_split
from tests.study.training.tiny_trials import (
    CPU,
    FAMILIES,
    PAD,
    tiny_backbone,
    tiny_split,
    tiny_trial,
)

ROWS = [[5, 6, 7], [8], [9, 10], [11, 12, 13]]
SPLIT = encode_split(ROWS, [0, 1, 1, 0])


def test_a_split_keeps_every_row_and_label() -> None:
    assert [SPLIT.tokens[a:b].tolist() for a, b in pairwise(SPLIT.offsets)] == ROWS
    assert SPLIT.labels.tolist() == [0, 1, 1, 0]
    assert SPLIT.lengths.tolist() == [3, 1, 2, 3]
    assert len(SPLIT) == 4


def test_a_batch_is_padded_on_the_right_and_masked_there() -> None:
    batch = collate(SPLIT, np.array([2, 0, 1]), PAD, CPU, causal=False)
    assert batch["input_ids"].tolist() == [[9, 10, 1], [5, 6, 7], [8, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [1, 0, 1]


def test_a_batch_without_padding_needs_no_mask() -> None:
    assert "attention_mask" not in collate(SPLIT, np.array([0, 3]), PAD, CPU, causal=False)


def test_a_causal_model_needs_no_mask_at_all() -> None:
    assert "attention_mask" not in collate(SPLIT, np.array([0, 1]), PAD, CPU, causal=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_each_row_alone_and_in_the_split_s_order(family: str) -> None:
    trial = tiny_trial("linear_probe", on=tiny_backbone(family), eval_batch_size=5)
    together = trial.logits(trial.data.dev)
    alone = tiny_trial("linear_probe", on=tiny_backbone(family), eval_batch_size=1)
    assert np.ptp(together) > 0
    np.testing.assert_allclose(together, alone.logits(trial.data.dev), rtol=1e-4, atol=1e-6)


def test_evaluation_takes_every_row_once_and_the_longest_first() -> None:
    split = tiny_split(23, seed=4)
    batches = list(evaluation_batches(split, 5))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    rows = np.concatenate(batches)
    assert sorted(rows.tolist()) == list(range(23))
    assert (np.diff(split.lengths[rows]) <= 0).all()


def _epoch(order: BatchOrder, epoch: int) -> list[list[int]]:
    first = 1 + epoch * order.batches_per_epoch
    return [order[step].tolist() for step in range(first, first + order.batches_per_epoch)]


@settings(max_examples=30)
@given(
    rows=st.integers(1, 300),
    batch=st.integers(1, 7),
    seed=st.integers(0, 99),
    grouped=st.booleans(),
)
def test_every_epoch_takes_every_row_once(rows: int, batch: int, seed: int, grouped: bool) -> None:
    order = BatchOrder(tiny_split(rows, seed=0), batch, seed, grouped)
    for epoch in (0, 1, 5):
        batches = _epoch(order, epoch)
        assert sorted(chain.from_iterable(batches)) == list(range(rows))
        assert sorted(map(len, batches))[1:] == [batch] * (len(batches) - 1)


@pytest.mark.parametrize("grouped", [False, True])
def test_epochs_and_seeds_differ(grouped: bool) -> None:
    split = tiny_split(40, seed=0)
    first, second = (BatchOrder(split, 4, seed, grouped) for seed in (0, 1))
    assert _epoch(first, 0) != _epoch(first, 1)
    assert _epoch(first, 0) != _epoch(second, 0)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_rows_of_a_step_depend_on_seed_and_step_only(grouped: bool) -> None:
    split = tiny_split(21, seed=0)
    straight = BatchOrder(split, 4, 7, grouped)
    expected = [straight[step].tolist() for step in range(1, 31)]
    for step in (30, 1, 17, 2, 29, 6, 7):
        assert BatchOrder(split, 4, 7, grouped)[step].tolist() == expected[step - 1]
        assert straight[step].tolist() == expected[step - 1]


def test_grouping_by_length_needs_less_padding() -> None:
    split = tiny_split(200, seed=0)

    def padding(grouped: bool) -> int:
        batches = _epoch(BatchOrder(split, 8, 0, grouped), 0)
        lengths = [split.lengths[batch] for batch in batches]
        return sum(int((row.max() - row).sum()) for row in lengths)

    assert padding(grouped=True) < padding(grouped=False) / 4


def test_grouped_batches_are_not_in_the_order_of_length() -> None:
    split = tiny_split(200, seed=0)
    longest = [max(split.lengths[batch]) for batch in _epoch(BatchOrder(split, 8, 0, True), 0)]
    assert longest != sorted(longest)
