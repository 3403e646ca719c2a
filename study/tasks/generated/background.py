"""Promoter-like background sequence: a first-order Markov chain with a GC profile.

P(next base | base, position) is proportional to f(next base) * rho(base, next base), where f
follows the GC content of that position and rho are dinucleotide odds ratios.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int8

Codes = Int8[np.ndarray, "rows length"]
"""Bases as 0, 1, 2, 3 for A, C, G, T: the complement of a code is 3 minus it."""

BASES = "ACGT"

# Observed / expected dinucleotide frequencies of human genomic DNA, both strands averaged: the
# "genomic signature" of Karlin & Burge 1995 (Trends Genet. 11:283), here computed from the
# published dinucleotide counts of the reference genome (hg19) and rounded. Row: first base.
ODDS = np.array(
    [
        [1.12, 0.83, 1.16, 0.88],
        [1.20, 1.24, 0.24, 1.16],
        [0.98, 1.02, 1.24, 0.83],
        [0.75, 0.98, 1.20, 1.12],
    ]
)

# Two classes of mammalian promoters (Saxonov et al. 2006, PNAS 103:1412; Carninci et al. 2006,
# Nat. Genet. 38:626): CpG islands, where CpG is hardly depleted (observed/expected > 0.6 by
# Gardiner-Garden & Frommer 1987, J. Mol. Biol. 196:261), and focused ones with fewer CpG. GC
# content rises towards the TSS in both; promoters differ from each other by GC_SD.
ISLAND_SHARE = 0.5
GC_FOCUSED, GC_ISLAND = (0.48, 0.52), (0.58, 0.66)  # at the 5' end, from the TSS on
CPG_FOCUSED, CPG_ISLAND = 0.4, 0.8  # observed / expected
GC_SD = 0.08
GC_LIMITS = (0.25, 0.80)

# Substitutes for a promoter's blocks in a negative. BLOCK_BIAS is the exponent of the odds: at 0
# bases are independent and k-mer counts detect the substitutes; at 1 their k-mers are natural and
# only missing elements and the changes of GC content differ.
BLOCK_BIAS = 0.2
GC_BLOCK, GC_BLOCK_SD = 0.55, 0.12


def sample_background(
    island: Bool[np.ndarray, " rows"], length: int, tss: int, rng: np.random.Generator
) -> Codes:
    """Draws one sequence per row: of a CpG-island promoter where `island`, else of a focused one.

    `tss` is the column of the transcription start site, where the GC content stops rising.
    """
    upstream, downstream = np.where(island[:, None], GC_ISLAND, GC_FOCUSED).T[:, :, None]
    progress = np.minimum(np.arange(length) / tss, 1)
    offset = rng.normal(0, GC_SD, (len(island), 1))
    gc = np.clip(upstream + (downstream - upstream) * progress + offset, *GC_LIMITS)
    return _markov(gc, ODDS, np.where(island, CPG_ISLAND, CPG_FOCUSED), rng)


def sample_blocks(rows: int, blocks: int, width: int, rng: np.random.Generator) -> Codes:
    """Draws `blocks` independent pieces of `width` bases per row, each with a GC content."""
    gc = np.clip(rng.normal(GC_BLOCK, GC_BLOCK_SD, rows * blocks), *GC_LIMITS)
    odds = ODDS**BLOCK_BIAS
    cpg = np.full(rows * blocks, ((CPG_FOCUSED + CPG_ISLAND) / 2) ** BLOCK_BIAS)
    pieces = _markov(np.tile(gc[:, None], width), odds, cpg, rng)
    return pieces.reshape(rows, blocks * width)


def _markov(
    gc: Float[np.ndarray, "rows length"],
    odds: Float[np.ndarray, "4 4"],
    cpg: Float[np.ndarray, " rows"],
    rng: np.random.Generator,
) -> Codes:
    rows, length = gc.shape
    own_odds = np.tile(odds, (rows, 1, 1))
    own_odds[:, BASES.index("C"), BASES.index("G")] = cpg
    row = np.arange(rows)
    draws = rng.random((rows, length))
    base = rng.integers(0, 4, rows)
    codes = np.empty((rows, length), np.int8)
    for position in range(length):
        half = gc[:, position, None] / 2
        frequency = np.hstack([0.5 - half, half, half, 0.5 - half])
        cumulative = (frequency * own_odds[row, base]).cumsum(axis=1)
        base = (draws[:, position, None] * cumulative[:, 3:] > cumulative[:, :3]).sum(axis=1)
        codes[:, position] = base
    return codes
