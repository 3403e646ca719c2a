"""The generated task `promoters`: 300 bp promoters against promoters taken half apart.

A positive covers -249..+51 around the transcription start site +1, the window of benchmarks
from EPDnew (which counts the site as 0 and so ends at +50): background (background.py) with
core-promoter elements planted at their places (elements.py). A negative is made from a
positive by the recipe of DeePromoter (Oubounyt, Louadi, Tayara & Chong 2019, Frontiers in
Genetics 10:286): of 20 equal blocks, 8 random ones stay where they are and 12 are substituted
at random, so that parts of the elements survive and no single motif, nor its absence, decides.

How hard it is, at 3000/750/750 rows: logistic regression on 5-mer counts (baselines.py) reaches
test MCC .44 to .50 over four seeds, a small convolutional network that sees places .63 to .77,
and .79 with 24,000 rows to train on.
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

    Each split has a random stream of its own, so its rows depend on its own size and `seed`
    alone, and its negatives come from its own positives: no split shares a source promoter
    with another.
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
    negatives, _ = take_apart(sources, rng)
    codes = np.concatenate([sources[: rows // 2], negatives])
    labels = np.repeat([1, 0], [rows // 2, negative_rows])
    order = rng.permutation(rows)
    return Split(to_strings(codes[order]), labels[order].tolist())


def sample_promoters(rows: int, rng: np.random.Generator) -> Codes:
    """Positives, `LENGTH` codes a row."""
    island = rng.random(rows) < ISLAND_SHARE
    codes = sample_background(island, LENGTH, TSS, rng)
    tata_slip = rng.integers(-TATA.jitter, TATA.jitter + 1, rows)
    for element in ELEMENTS:
        carries = rng.random(rows) < np.where(island, element.island, element.focused)
        own_slip = rng.integers(-element.jitter, element.jitter + 1, rows)
        slip = tata_slip if element.follows_tata else own_slip
        plant(codes, element, np.flatnonzero(carries), slip[carries], rng)
    return codes


def plant(
    codes: Codes,
    element: Element,
    rows: Int[np.ndarray, " carriers"],
    slip: Int[np.ndarray, " carriers"],
    rng: np.random.Generator,
) -> None:
    """Writes one copy of `element` into each of `rows`, `slip` bases off its usual start."""
    site = np.empty((len(rows), len(element.consensus)), np.int8)
    for place, letter in enumerate(element.consensus):
        allowed = np.array([BASES.index(base) for base in IUPAC[letter]])
        others = np.setdiff1d(np.arange(4), allowed)
        site[:, place] = rng.choice(allowed, len(rows))
        decayed = rng.random(len(rows)) < (element.mutation if len(others) else 0.0)
        site[decayed, place] = rng.choice(others, decayed.sum()) if len(others) else 0
    if element.either_strand:
        flipped = rng.random(len(rows)) < 0.5
        site[flipped] = 3 - site[flipped, ::-1]
    first = column(element.start) + slip
    codes[rows[:, None], first[:, None] + np.arange(site.shape[1])] = site


def take_apart(
    promoters: Codes, rng: np.random.Generator
) -> tuple[Codes, Bool[np.ndarray, "rows blocks"]]:
    """Negatives, and which blocks of each source they keep (rows x `BLOCKS`)."""
    rows, length = promoters.shape
    kept = rng.random((rows, BLOCKS)).argsort(axis=1) < KEPT_BLOCKS
    width = length // BLOCKS
    substitutes = sample_blocks(rows, BLOCKS, width, rng)
    return np.where(kept.repeat(width, axis=1), promoters, substitutes), kept


def column(position: int) -> int:
    """Column of a position relative to the TSS, which is +1; there is no position 0."""
    return TSS + position - (position > 0)


def to_strings(codes: Codes) -> list[str]:
    """Rows of codes as DNA strings."""
    return [row.tobytes().decode("ascii") for row in _LETTERS[codes]]
