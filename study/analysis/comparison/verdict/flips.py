"""Exact sign-flip test of a mean difference, for a single look.

If two configurations do not differ, exchanging the two runs of a pair changes nothing: every
pattern of signs of the differences is equally likely. The p-value is the share of patterns whose
mean is at least as far from zero as the observed one. Up to `EXACT` differences all patterns are
counted; beyond that patterns are drawn at random, the observed one among them. No p-value is below
2^(1 - n), as the observed signs and their opposite are among the patterns. After more looks than
one it is too small: use the confidence sequence (sequence.py).
"""

import numpy as np
from jaxtyping import Float

EXACT = 20
DRAWS = 200_000
_AT_ONCE = 20_000


def sign_flip_p(d: Float[np.ndarray, " n"], rng: np.random.Generator) -> float | None:
    """Returns the two-sided p-value of independent differences; None without a difference.

    Args:
        d: differences of the pairs; zeros do not matter.
        rng: draws patterns, if there are more than `EXACT` differences.
    """
    if not len(d):
        return None
    sizes = np.abs(d[d != 0])
    if not len(sizes):
        return 1.0
    bound = abs(float(d.sum())) * (1 - 1e-12)
    if len(sizes) <= EXACT:
        return _share_of_all(sizes, bound)
    extreme = 0
    for _ in range(0, DRAWS, _AT_ONCE):
        signs = rng.integers(0, 2, (_AT_ONCE, len(sizes))) * 2 - 1
        extreme += int((np.abs(signs @ sizes) >= bound).sum())
    return max((1 + extreme) / (DRAWS + 1), 2.0 ** (1 - len(sizes)))


def _share_of_all(sizes: Float[np.ndarray, " n"], bound: float) -> float:
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums + size, sums - size])
    return float((np.abs(sums) >= bound).mean())
