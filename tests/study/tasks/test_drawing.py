"""Splits that are drawn from train by shares."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import InputError
from study.tasks import Split
from study.tasks.drawing import by_shares
from study.tasks.split import reverse_complement

SHARES = {"dev": 0.2, "test": 0.1}


def words(count: int, length: int = 20) -> list[str]:
    rng = random.Random(5)
    return ["".join(rng.choices("ACGT", k=length)) for _ in range(count)]


def drawn_splits(
    where: str, whole: Split, shares: dict[str, float], seed: int, classes: Sequence[str] = ()
) -> dict[str, Split]:
    chosen = by_shares(where, whole, shares, seed, classes)
    return {name: whole.where(c == name for c in chosen) for name in ("train", *shares)}


def groups(split: Split) -> set[str]:
    return {min(s, reverse_complement(s)) for s in split.sequences}


def pairs(*splits: Split) -> list[tuple[str, int]]:
    return [pair for s in splits for pair in zip(s.sequences, s.labels, strict=True)]


def test_each_class_is_drawn_by_its_share_and_rows_keep_their_order():
    whole = Split(words(400), [0, 0, 0, 1] * 100)
    drawn = drawn_splits("x", whole, SHARES, seed=0)

    assert [Counter(drawn[name].labels) for name in ("train", "dev", "test")] == [
        {0: 210, 1: 70},
        {0: 60, 1: 20},
        {0: 30, 1: 10},
    ]
    for split in drawn.values():
        assert pairs(split) == [pair for pair in pairs(whole) if pair in set(pairs(split))]


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.integers(0, 11), st.booleans(), st.integers(0, 2)), min_size=20),
    seed=st.integers(0, 9),
)
def test_nothing_is_lost_and_no_sequence_is_on_two_sides(rows, seed):
    known = words(36)
    # Each class has twelve sequences of its own, some of them often, on either strand.
    chosen = [(known[12 * label + which], strand, label) for which, strand, label in rows]
    chosen += [(known[one + which], False, one // 12) for one in (0, 12, 24) for which in range(3)]
    sequences = [reverse_complement(s) if strand else s for s, strand, _ in chosen]
    whole = Split(sequences, [label for _, _, label in chosen])

    drawn = drawn_splits("x", whole, SHARES, seed)
    assert sorted(pairs(*drawn.values())) == sorted(pairs(whole))
    assert sum(len(groups(split)) for split in drawn.values()) == len(groups(whole))
    assert all(set(split.labels) == {0, 1, 2} for split in drawn.values())


def test_the_draw_does_not_depend_on_the_order_of_the_rows():
    whole = Split(words(50), [0, 1] * 25)
    turned = Split(whole.sequences[::-1], whole.labels[::-1])
    first, again = (drawn_splits("x", split, SHARES, seed=4) for split in (whole, turned))
    assert all(groups(first[name]) == groups(again[name]) for name in first)
    other = drawn_splits("x", whole, SHARES, seed=5)
    assert groups(other["dev"]) != groups(first["dev"])


def test_a_large_group_does_not_fill_a_split():
    copies = ["A" * 20] * 50
    whole = Split([*copies, *words(50)], [0] * 50 + [0, 1] * 25)
    for seed in range(20):
        drawn = drawn_splits("x", whole, {"dev": 0.1}, seed)
        assert len(drawn["dev"]) == round(0.1 * 75) + round(0.1 * 25)


def test_a_class_with_too_few_sequences_is_refused_by_name():
    whole = Split([*words(20), "ACGTT", "AACGT"], [0, 1] * 10 + [2, 2])
    with pytest.raises(
        InputError, match=r"x: each class must have 3 different .*, but got 1 of class c;"
    ):
        drawn_splits("x", whole, SHARES, seed=0, classes=("a", "b", "c"))
