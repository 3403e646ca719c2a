"""The generated promoters: elements where and as often as declared, negatives by the recipe."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import load_task
from study.tasks.generated import background
from study.tasks.generated.background import BASES, Codes
from study.tasks.generated.elements import ELEMENTS, IUPAC, TATA, Element
from study.tasks.generated.promoters import (
    BLOCKS,
    KEPT_BLOCKS,
    LENGTH,
    TSS,
    column,
    generate,
    make_negatives,
    plant,
    sample_promoters,
    to_strings,
)
from study.tasks.split import reverse_complement

ROWS = 4000
BY_NAME = {element.name: element for element in ELEMENTS}


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def within_sampling_error(found: int, expected: float, rows: int) -> bool:
    """Five standard errors of a binomial count: one false alarm in two million."""
    return abs(found / rows - expected) <= 5 * np.sqrt(expected * (1 - expected) / rows) + 1e-12


def pattern(consensus: str) -> re.Pattern[str]:
    return re.compile("".join(f"[{IUPAC[letter]}]" for letter in consensus))


def decay_free(element: Element) -> float:
    """Probability that no base of a planted copy left the consensus; N cannot."""
    letters = sum(letter != "N" for letter in element.consensus)
    return (1 - element.mutation) ** letters


def test_there_is_no_position_zero():
    assert column(1) == TSS
    assert column(-1) == TSS - 1
    assert column(-249) == 0
    assert column(51) == LENGTH - 1


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.name)
def test_every_element_stays_inside_the_sequence_and_its_shares_are_shares(element):
    first, last = column(element.start) - element.jitter, column(element.start) + element.jitter
    assert first >= 0
    assert last + len(element.consensus) <= LENGTH
    assert 0 <= element.focused <= 1
    assert 0 <= element.island <= 1
    assert 0 < element.mutation < 0.25
    assert set(element.consensus) <= set(IUPAC)


def test_places_agree_with_the_literature():
    assert (TATA.consensus, TATA.start) == ("TATAWAWR", -31)
    upstream, downstream = BY_NAME["BREu"], BY_NAME["BREd"]
    assert upstream.start + len(upstream.consensus) == TATA.start
    assert downstream.start == TATA.start + len(TATA.consensus)
    initiator = BY_NAME["Inr"]
    assert initiator.consensus[3] == "A"
    assert column(initiator.start) + 3 == column(1)
    assert column(BY_NAME["DPE"].start) == column(1) + 27


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.name)
def test_planted_copies_match_the_consensus_at_the_declared_rate(element):
    rng = stream(1)
    codes = np.zeros((ROWS, LENGTH), np.int8)
    slip = rng.integers(-element.jitter, element.jitter + 1, ROWS)
    plant(codes, element, np.arange(ROWS), slip, rng)

    matches = 0
    for row, offset in zip(to_strings(codes), slip, strict=True):
        first = column(element.start) + offset
        site = row[first : first + len(element.consensus)]
        forward = pattern(element.consensus).fullmatch(site)
        backward = pattern(element.consensus).fullmatch(reverse_complement(site))
        matches += bool(forward or (element.either_strand and backward))
    assert within_sampling_error(matches, decay_free(element), ROWS)


def test_planting_writes_nowhere_else():
    element = BY_NAME["DPE"]
    codes = np.full((50, LENGTH), 9, np.int8)
    plant(codes, element, np.arange(0, 50, 2), np.zeros(25, np.int64), stream())

    first = column(element.start)
    written = np.zeros_like(codes, bool)
    written[::2, first : first + len(element.consensus)] = True
    assert ((codes != 9) == written).all()


def test_a_decayed_base_is_never_one_of_the_consensus():
    rotten = replace(TATA, mutation=1.0)
    codes = np.zeros((200, LENGTH), np.int8)
    plant(codes, rotten, np.arange(200), np.zeros(200, np.int64), stream())

    first = column(TATA.start)
    for row in to_strings(codes):
        site = row[first : first + 8]
        assert not any(base in IUPAC[c] for base, c in zip(site, TATA.consensus, strict=True))


@pytest.mark.parametrize("name", ["TATA", "Inr", "DPE"])
def test_promoters_carry_the_elements_at_the_declared_share(name, monkeypatch):
    element = BY_NAME[name]
    probe = Element(
        "probe", "GATTACAGATTACA", element.start - 6, 0, element.focused, element.island, 0.0
    )
    monkeypatch.setattr("study.tasks.generated.promoters.ELEMENTS", (probe,))

    sequences = to_strings(sample_promoters(ROWS, stream(2)))

    first = column(probe.start)
    found = sum(row.startswith(probe.consensus, first) for row in sequences)
    share = (
        background.ISLAND_SHARE * element.island + (1 - background.ISLAND_SHARE) * element.focused
    )
    assert within_sampling_error(found, share, ROWS)


def test_the_tata_box_and_its_neighbours_slip_together(monkeypatch):
    always = [
        replace(BY_NAME[n], focused=1.0, island=1.0, mutation=0.0)
        for n in ("TATA", "BREu", "BREd")
    ]
    monkeypatch.setattr("study.tasks.generated.promoters.ELEMENTS", tuple(always))
    whole = pattern(BY_NAME["BREu"].consensus + TATA.consensus + BY_NAME["BREd"].consensus)

    starts = set()
    for row in to_strings(sample_promoters(300, stream(3))):
        places = [
            slip
            for slip in range(-TATA.jitter, TATA.jitter + 1)
            if whole.match(row, column(BY_NAME["BREu"].start) + slip)
        ]
        assert places
        starts.update(places)
    assert starts == set(range(-TATA.jitter, TATA.jitter + 1))


def observed_over_expected(codes: Codes, first: str, second: str) -> float:
    a, b = BASES.index(first), BASES.index(second)
    pairs = ((codes[:, :-1] == a) & (codes[:, 1:] == b)).mean()
    return float(pairs / ((codes == a).mean() * (codes == b).mean()))


@pytest.mark.parametrize("island", [True, False])
def test_the_background_has_the_declared_gc_profile_and_cpg_depletion(island):
    codes = background.sample_background(np.full(ROWS, island), LENGTH, TSS, stream(4))

    gc = ((codes == 1) | (codes == 2)).mean(axis=0)
    upstream, downstream = background.GC_ISLAND if island else background.GC_FOCUSED
    cpg = background.CPG_ISLAND if island else background.CPG_FOCUSED
    # The odds shift GC a little away from the profile that they multiply.
    assert gc[:30].mean() == pytest.approx(upstream, abs=0.04)
    assert gc[TSS:].mean() == pytest.approx(downstream, abs=0.04)
    assert gc[TSS:].mean() > gc[:30].mean() + 0.02
    assert observed_over_expected(codes, "C", "G") == pytest.approx(cpg, abs=0.1)
    assert observed_over_expected(codes, "T", "A") < 0.9
    assert observed_over_expected(codes, "T", "G") > 1.05


def test_negatives_keep_exactly_eight_of_twenty_blocks():
    promoters = sample_promoters(ROWS, stream(5))
    negatives, kept = make_negatives(promoters, stream(6))

    assert (BLOCKS, KEPT_BLOCKS) == (20, 8)
    assert (kept.sum(axis=1) == 8).all()
    same = (promoters == negatives).reshape(ROWS, 20, 15).all(axis=2)
    assert same[kept].all()
    assert not same[~kept].any()


def test_every_block_is_kept_equally_often():
    promoters = np.zeros((ROWS, LENGTH), np.int8)
    _, kept = make_negatives(promoters, stream(7))
    for block in range(BLOCKS):
        assert within_sampling_error(int(kept[:, block].sum()), KEPT_BLOCKS / BLOCKS, ROWS)


def test_the_same_seed_gives_the_same_task():
    assert generate(60, 20, 20, seed=3) == generate(60, 20, 20, seed=3)
    assert generate(60, 20, 20, seed=3) != generate(60, 20, 20, seed=4)


def test_the_size_of_train_changes_no_row_of_dev_and_test():
    small, large = generate(10, 30, 40, seed=1), generate(200, 30, 40, seed=1)
    assert small[1:] == large[1:]
    assert small[0] != large[0]


def test_a_generated_task_is_balanced_mixed_and_clean():
    task = load_task(TaskSpec(train=601, dev=100, test=50, seed=8))

    assert [len(split) for _, split in task.splits()] == [601, 100, 50]
    assert [sum(split.labels) for _, split in task.splits()] == [300, 50, 25]
    assert task.num_labels == 2
    assert task.warnings == []
    assert 0 < sum(task.train.labels[:300]) < 300
    for _, split in task.splits():
        assert {len(sequence) for sequence in split.sequences} == {LENGTH}
        assert set("".join(split.sequences)) == set(BASES)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_split_too_small_for_both_classes_is_refused(split):
    with pytest.raises(InputError, match=f"task.{split}: must be at least 2, .* but got 1"):
        load_task(TaskSpec(**{split: 1}))


def most_blocks_of_one_sequence(sequences: list[str], known: list[str]) -> int:
    """How many blocks, at their places, one of `sequences` has from all of `known` together."""

    def blocks(sequence: str) -> set[tuple[int, str]]:
        return {(at, sequence[at : at + 15]) for at in range(0, LENGTH, 15)}

    seen = set().union(*map(blocks, known))
    return max(len(blocks(sequence) & seen) for sequence in sequences)


def test_no_two_splits_share_a_source_promoter():
    splits = [split.sequences for split in generate(400, 200, 200, seed=9)]
    for one, other in itertools.combinations(splits, 2):
        # Blocks full of elements may coincide by chance; a shared source would give eight.
        assert most_blocks_of_one_sequence(other, one) <= 2
    dev = generate(400, 200, 200, seed=9)[1]
    positives = [s for s, label in zip(dev.sequences, dev.labels, strict=True) if label == 1]
    negatives = [s for s, label in zip(dev.sequences, dev.labels, strict=True) if label == 0]
    assert most_blocks_of_one_sequence(negatives, positives) >= KEPT_BLOCKS


def test_a_5_mer_baseline_has_an_intermediate_score():
    """MCC .4 to .6 is what the task is made for; the limits add the error of 750 test rows."""
    from study.tasks.baselines import kmer_logistic_regression

    scores = kmer_logistic_regression(load_task(TaskSpec(train=2000, dev=300, test=750)))
    assert 0.35 < scores["test_mcc"] < 0.62
