"""Near copies between splits: against sets of words counted slowly, and on real data."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from study.spec import TaskSpec
from study.tasks import Split, load_task, loading
from study.tasks.near_copies import JACCARD, K, near_copies
from study.tasks.split import reverse_complement

DATA = Path(__file__).parents[4] / "shared" / "data"


def sequences(count: int, length: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("ACGT", k=length)) for _ in range(count)]


def mutated(sequence: str, rate: float, rng: random.Random) -> str:
    """Each base is another one with the given probability."""
    other = {base: "ACGT".replace(base, "") for base in "ACGT"}
    return "".join(rng.choice(other.get(b, b)) if rng.random() < rate else b for b in sequence)


def words(sequence: str) -> set[str]:
    found = (sequence[start : start + K] for start in range(len(sequence) - K + 1))
    return {min(word, reverse_complement(word)) for word in found if "N" not in word}


def slow_jaccard(one: set[str], two: set[str]) -> float:
    return len(one & two) / len(one | two) if one or two else 0.0


def split(*sequences: str) -> Split:
    return Split(list(sequences), [0] * len(sequences))


def slowly(train: Split, other: Split) -> list[bool]:
    """Whether each row of train has a near copy in the other split."""
    known = list(map(words, other.sequences))
    having: dict[str, set[int]] = {}
    for row, found in enumerate(known):
        for word in found:
            having.setdefault(word, set()).add(row)
    ours = list(map(words, train.sequences))
    rows = [set().union(*(having.get(word, set()) for word in mine)) for mine in ours]
    return [
        any(slow_jaccard(mine, known[row]) >= JACCARD for row in some)
        for mine, some in zip(ours, rows, strict=True)
    ]


def test_changed_shifted_and_reversed_copies_are_found_and_nothing_else():
    rng = random.Random(0)
    a, b, c, d, e, f = sequences(6, 300, seed=1)
    kept = sequences(40, 300, seed=2)
    dev = split(*sequences(5, 300, seed=3), mutated(a, 0.02, rng), b[60:] + kept[0][:60])
    test = split(reverse_complement(mutated(c, 0.03, rng)), d, mutated(e, 0.2, rng), f[:80])
    found = near_copies(split(a, b, c, d, e, f, *kept), dev, test)
    assert found.dev == [False] * 5 + [True, True]
    assert found.test == [True, True, False, False]
    assert found.train == [True, True, True, True, False, False] + [False] * 40
    assert found.counts() == {"train": 4, "dev": 2, "test": 2}


def test_the_pairs_are_those_of_slow_counting_and_do_not_depend_on_the_order():
    rng = random.Random(4)
    train = sequences(60, 90, seed=5)
    held_out = [mutated(s, 0.01 * (row % 9), rng) for row, s in enumerate(train[:45])]
    one, two = split(*train), split(*held_out)
    found = near_copies(one, two, split("ACGT"))
    exact = slowly(one, two)
    assert sum(a and not b for a, b in zip(found.train, exact, strict=True)) == 0
    assert sum(found.train) >= sum(exact) - 1 > 15
    assert found.dev == [*found.train[:45]]

    turned = near_copies(split(*train[::-1]), split("ACGT"), two)
    assert turned.train == found.train[::-1]
    assert turned.test == found.dev


def test_sequences_without_a_word_have_no_near_copy():
    short = split("ACGT", "N" * 50, "ACGTN" * 20)
    found = near_copies(short, short, short)
    assert found.train + found.dev + found.test == [False] * 9


def test_letters_at_the_border_of_two_sequences_make_no_word():
    one, two = sequences(2, 40, seed=8)
    assert near_copies(
        split(one[:20], two[:20]), split(one[:20][10:] + two[:10]), split("A")
    ).dev == [False]


def write(folder: Path, **splits: list[str]) -> Path:
    for name, rows in splits.items():
        lines = [f"{sequence},{row % 2}" for row, sequence in enumerate(rows)]
        (folder / f"{name}.csv").write_text("\n".join(["sequence,label", *lines]))
    return folder


def test_near_copies_are_reported_and_taken_out_of_train_on_request(tmp_path, monkeypatch):
    rng = random.Random(6)
    train, dev, test = (sequences(count, 200, seed=count) for count in (20, 4, 6))
    train[:3] = [mutated(test[0], 0.02, rng), test[1], mutated(dev[0], 0.02, rng)]
    folder = write(tmp_path, train=train, dev=dev, test=test)

    task = load_task(TaskSpec(path=folder))
    assert task.quality.near == {"train": 3, "dev": 1, "test": 2}
    assert task.quality.record()["near"] == {
        "train": 3,
        "dev": 1,
        "test": 2,
        "k": 13,
        "jaccard": 0.25,
    }
    assert task.warnings == [
        "train and test share 1 sequence: test scores are too good",
        "1 sequence of dev has a near copy in train: dev scores may be too good; task.dedup: near "
        "takes such rows out of train",
        "2 sequences of test have a near copy in train: test scores may be too good; task.dedup: "
        "near takes such rows out of train",
    ]
    line = "near copies in train: 1 of dev, 2 of test (13-mer Jaccard >= 0.25)"
    assert task.quality.lines()[-1] == line
    less = load_task(TaskSpec(path=folder, dedup="near"))
    assert less.train.sequences == train[3:]
    assert (less.dev, less.test, less.warnings) == (task.dev, task.test, [])
    assert less.quality.dropped["near copies of dev or test"] == 2
    assert less.quality.near == {"train": 0, "dev": 0, "test": 0}

    assert load_task(TaskSpec(path=folder), search=False).quality.near == {}
    monkeypatch.setattr(loading, "LIMIT", 5_999)
    skipped = "near copies: not looked for in 6,000 bases; task.dedup: near does"
    assert skipped in load_task(TaskSpec(path=folder)).warnings
    assert load_task(TaskSpec(path=folder, dedup="near")).train == less.train


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside the project")
@pytest.mark.parametrize("folder", ["gue_prom_300_tata", "emp_h3_bychrom"])
def test_planted_near_copies_in_real_data_are_found(folder):
    """Prints precision and recall against exact similarities of all pairs."""
    rng = random.Random(7)
    task = load_task(TaskSpec(path=DATA / folder), search=False)
    train = task.train.sequences[:1500]
    planted, kinds = [], []
    for row, sequence in enumerate(train[:600]):
        kind = ("1 %", "3 %", "5 %", "10 %", "shift 0.3", "shift 0.5")[row % 6]
        shift = int(len(sequence) * float(kind[6:])) if "shift" in kind else 0
        rate = 0 if shift else float(kind.removesuffix(" %")) / 100
        changed = (
            sequence[shift:] + rng.choice(train)[:shift] if shift else mutated(sequence, rate, rng)
        )
        planted.append(reverse_complement(changed) if row % 2 else changed)
        kinds.append(kind)
    one, two = split(*train), split(*planted, *task.test.sequences[:300])
    found, exact = near_copies(one, two, split("A")).dev, slowly(two, one)
    right = sum(a and b for a, b in zip(found, exact, strict=True))
    print(f"{folder}: precision {right / sum(found):.3f}, recall {right / sum(exact):.3f}")  # noqa: T201
    for kind in dict.fromkeys(kinds):
        rows = [row for row, one in enumerate(kinds) if one == kind]
        print(f"  {kind}: found {sum(found[r] for r in rows)}, exact {sum(exact[r] for r in rows)}"  # noqa: T201
              f" of {len(rows)}")  # fmt: skip
    assert right == sum(found)
    assert right >= 0.97 * sum(exact)
