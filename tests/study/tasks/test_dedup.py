"""Which rows are removed from train; the cut of a dev split."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import Split, load_task
from study.tasks.dedup import drop_from_train
from study.tasks.quality import measure
from study.tasks.split import reverse_complement
from tests.study.tasks.test_own_files import write_folder

ROWS = st.lists(
    st.tuples(st.text("ACGT", min_size=1, max_size=3), st.integers(0, 1)), min_size=1, max_size=20
)
SPLITS = ROWS.map(lambda rows: Split(*map(list, zip(*rows, strict=True))))


def test_each_dropped_row_is_counted_under_its_first_reason():
    train = Split(
        ["AAAA", "CCCC", "AAAC", "AAAC", "GGGG", "ACCA", "ACCA", "GTTT"],
        [0, 1, 0, 1, 1, 0, 0, 1],
    )
    dev, test = Split(["CCCC", "TTGG"], [0, 1]), Split(["AAGG", "TTTT"], [0, 1])
    rows, dropped = drop_from_train(train, dev, test)
    kept = train.where(rows)
    # CCCC is in dev and GGGG its other strand, AAAA the other strand of test's TTTT.
    assert dropped == {"in dev or test": 3, "with different labels": 2, "copies": 1}
    assert (kept.sequences, kept.labels) == (["ACCA", "GTTT"], [0, 1])


@settings(max_examples=100)
@given(train=SPLITS, dev=SPLITS, test=SPLITS)
def test_the_remaining_rows_have_no_leaks_conflicts_or_copies(
    train: Split, dev: Split, test: Split
):
    before = [Split(list(s.sequences), list(s.labels)) for s in (train, dev, test)]
    rows, dropped = drop_from_train(train, dev, test)
    kept = train.where(rows)
    assert [train, dev, test] == before
    assert len(kept) + sum(dropped.values()) == len(train)
    rows = list(zip(train.sequences, train.labels, strict=True))
    left = list(zip(kept.sequences, kept.labels, strict=True))
    assert not Counter(left) - Counter(rows)
    if left:
        quality = measure(kept, dev, test, 2)
        assert quality.shared["train", "dev"].same == quality.shared["train", "dev"].reverse == 0
        assert quality.shared["train", "test"].same == quality.shared["train", "test"].reverse == 0
        assert (quality.splits["train"].copies, quality.splits["train"].conflicts) == (0, 0)
    assert drop_from_train(kept, dev, test) == ([True] * len(kept), dict.fromkeys(dropped, 0))


@settings(max_examples=50)
@given(train=SPLITS, dev=SPLITS)
def test_every_remaining_sequence_is_kept_once_and_in_order(train: Split, dev: Split):
    kept = train.where(drop_from_train(train, dev, dev)[0])
    rows = set(zip(train.sequences, train.labels, strict=True))
    expected = [
        sequence
        for sequence in dict.fromkeys(train.sequences)
        if not {sequence, reverse_complement(sequence)} & set(dev.sequences)
        and not {(sequence, 0), (sequence, 1)} <= rows
    ]
    assert kept.sequences == expected


def leaky_folder(tmp_path):
    return write_folder(
        tmp_path / "mine",
        train="sequence,label\nACGA,0\nGGCC,1\nAAAA,0\nACGA,0\nGGTC,1\n",
        dev="sequence,label\nAAAA,0\nCCCC,1\n",
        test="sequence,label\nTATA,0\nCGCG,1\n",
    )


def test_rows_are_dropped_only_on_request(tmp_path):
    folder = leaky_folder(tmp_path)
    plain = load_task(TaskSpec(path=folder))
    assert len(plain.train) == 5
    assert plain.quality.dropped == {}
    assert plain.warnings == ["train and dev share 1 sequence: dev scores are too good"]

    task = load_task(TaskSpec(path=folder, dedup="drop_from_train"))
    assert task.train.sequences == ["ACGA", "GGCC", "GGTC"]
    assert (task.dev, task.test) == (plain.dev, plain.test)
    assert task.quality.dropped == {
        "in dev or test": 1,
        "with different labels": 0,
        "copies": 1,
    }
    assert task.warnings == []
    assert task.quality.lines()[-1] == (
        "dropped from train: 2 rows (1 in dev or test, 0 with different labels, 1 copies)"
    )


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("AAAA,0\nGGGG,1\n", "got no row"),
        ("AAAA,0\nGTGT,1\n", "got only label 1"),
    ],
)
def test_dropping_a_whole_class_is_refused(tmp_path, rows, found):
    folder = write_folder(tmp_path / "mine", train="sequence,label\n" + rows)
    with pytest.raises(InputError, match=f"after task.dedup: train must have two .* {found}"):
        load_task(TaskSpec(path=folder, dedup="drop_from_train"))
