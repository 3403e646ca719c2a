"""The generated task `promoters`: 300 bp promoters against negatives made from promoters.

A positive covers positions -249 to +51, where +1 is the transcription start site and there is no
0, as in benchmarks made from EPDnew (where the site is 0 and the last position +50). It is
background (background.py) with core-promoter elements at their positions (elements.py). A
negative is made from a positive as in DeePromoter (Oubounyt, Louadi, Tayara & Chong 2019,
Frontiers in Genetics 10:286): of 20 equal blocks, 8 random ones are kept and 12 are substituted
at random, so that parts of the elements remain and no single motif separates the classes.

Test MCC with 3000/750/750 rows, over four seeds: 0.44 to 0.50 for logistic regression on 5-mer
counts (baselines.py) and 0.63 to 0.77 for a small convolutional network, which uses positions.
With 24,000 training rows that network reaches 0.79.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from study.tasks.generated.background import (
    BASES,
    ISLAND_SHARE,
    Codes,
    sample_background,
    sample_blocks,
)
from study.tasks.generated.elements import ELEMENTS, IUPAC, TATA, Element
from study.tasks.split import Split

LENGTH = 300
TSS = 249
"""Column of position +1."""
BLOCKS, KEPT_BLOCKS = 20, 8

_LETTERS = np.frombuffer(BASES.encode(), np.uint8)


def generate(train: int, dev: int, test: int, seed: int) -> tuple[Split, Split, Split]:
    """Draws the three splits: half positives (rounded down), half negatives, in random order.

    Each split has its own random stream, so its rows depend only on its size and `seed`. Its
    negatives are made from its own positives, so no two splits share a source promoter.
    """
    streams = np.random.SeedSequence(seed).spawn(3)
    train_split, dev_split, test_split = (
        _draw_split(rows, np.random.default_rng(stream))
        for rows, stream in zip((train, dev, test), streams, strict=True)
    )
    return train_split, dev_split, test_split


def _draw_split(rows: int, rng: np.random.Generator) -> Split:
    negative_rows = rows - rows // 2
    sources = sample_promoters(negative_rows, rng)
    negatives, _ = make_negatives(sources, rng)
    codes = np.concatenate([sources[: rows // 2], negatives])
    labels = np.repeat([1, 0], [rows // 2, negative_rows])
    order = rng.permutation(rows)
    return Split(to_strings(codes[order]), labels[order].tolist())


def sample_promoters(rows: int, rng: np.random.Generator) -> Codes:
    """Draws positives, `LENGTH` codes per row."""
    island = rng.random(rows) < ISLAND_SHARE
    codes = sample_background(island, LENGTH, TSS, rng)
    tata_shift = rng.integers(-TATA.jitter, TATA.jitter + 1, rows)
    for element in ELEMENTS:
        carries = rng.random(rows) < np.where(island, element.island, element.focused)
        own_shift = rng.integers(-element.jitter, element.jitter + 1, rows)
        shift = tata_shift if element.follows_tata else own_shift
        plant(codes, element, np.flatnonzero(carries), shift[carries], rng)
    return codes


def plant(
    codes: Codes,
    element: Element,
    rows: Int[np.ndarray, " carriers"],
    shift: Int[np.ndarray, " carriers"],
    rng: np.random.Generator,
) -> None:
    """Writes one copy of `element` into each of `rows`, `shift` bases from its usual start."""
    site = np.empty((len(rows), len(element.consensus)), np.int8)
    for place, letter in enumerate(element.consensus):
        allowed = np.array([BASES.index(base) for base in IUPAC[letter]])
        others = np.setdiff1d(np.arange(4), allowed)
        site[:, place] = rng.choice(allowed, len(rows))
        mutated = rng.random(len(rows)) < (element.mutation if len(others) else 0.0)
        site[mutated, place] = rng.choice(others, mutated.sum()) if len(others) else 0
    if element.either_strand:
        flipped = rng.random(len(rows)) < 0.5
        site[flipped] = 3 - site[flipped, ::-1]
    first = column(element.start) + shift
    codes[rows[:, None], first[:, None] + np.arange(site.shape[1])] = site


def make_negatives(
    promoters: Codes, rng: np.random.Generator
) -> tuple[Codes, Bool[np.ndarray, "rows blocks"]]:
    """Returns negatives, and which blocks of each source they keep (rows x `BLOCKS`)."""
    rows, length = promoters.shape
    kept = rng.random((rows, BLOCKS)).argsort(axis=1) < KEPT_BLOCKS
    width = length // BLOCKS
    substitutes = sample_blocks(rows, BLOCKS, width, rng)
    return np.where(kept.repeat(width, axis=1), promoters, substitutes), kept


def column(position: int) -> int:
    """Returns the column of a position relative to the TSS, which is +1; there is no 0."""
    return TSS + position - (position > 0)


def to_strings(codes: Codes) -> list[str]:
    """Returns rows of codes as DNA strings."""
    return [row.tobytes().decode("ascii") for row in _LETTERS[codes]]
