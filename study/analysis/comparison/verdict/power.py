"""What a number of pairs can decide, before and after they were run.

    symbol     meaning
    n          pairs
    effect     true mean difference in sd of a difference
    h(n)       half-width of the confidence sequence in sd of a difference

For normal differences n h(n)^2 is about 2 log(1 / alpha) + log(n) + 0.3, which is used to say how
many further pairs a decision needs; the power of a plan is simulated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from study.analysis.comparison.verdict.sequence import log_e_process, spent

DRAWS = 400
POWER = 0.8
MOST = 10_000
"""A decision that needs more pairs than this is not expected."""


@dataclass(frozen=True)
class FurtherPairs:
    """How many more pairs decide a question, over what the true difference may be."""

    median: int | None
    """None if it is expected not to be decided within `MOST` pairs."""
    low: int
    """10 % quantile."""
    high: int | None
    """90 % quantile; None if beyond `MOST`."""
    never: float
    """Probability that more pairs on this test set do not decide it at all."""


def smallest_effect(n: int, level: float, power: float = POWER) -> float | None:
    """Returns the smallest effect that n pairs find at some look with the given probability.

    In sd of a difference, simulated with normal differences. None if even a very large one is
    not found, as n pairs are too few.
    """
    noise = np.random.default_rng(0).normal(size=(DRAWS, n))

    def found(effect: float) -> bool:
        ever = log_e_process(noise + effect).max(axis=1) >= -math.log(level)
        return bool(ever.mean() >= power)

    low, high = 0.0, 8.0
    if not found(high):
        return None
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def simulated_error(
    compared: Sequence[tuple[str, str]], n: int, level: float, rng: np.random.Generator
) -> float | None:
    """Returns how often one of several equal configurations is decided to be better at some look.

    Simulated with normal scores, without the error of the test set. None without a pair of runs.

    Args:
        compared: the labels of the configurations that are compared.
        n: number of pairs of runs.
        level: error level of each comparison.
        rng: draws the scores.
    """
    if not n or not compared:
        return None
    labels = {label for pair in compared for label in pair}
    scores = {label: rng.normal(size=(DRAWS, n)) for label in sorted(labels)}
    wrong = np.zeros(DRAWS, dtype=bool)
    for a, b in compared:
        largest = log_e_process(scores[a] - scores[b]).max(axis=1)
        wrong |= largest >= -math.log(level)
    return float(wrong.mean())


def further_pairs(
    d: Float[np.ndarray, " n"], tau: float, level: float, rope: float, rng: np.random.Generator
) -> FurtherPairs | None:
    """Returns how many pairs more would decide an undecided question; None for fewer than three.

    The true difference and the sd are drawn as the pairs so far leave them open (Student's t), so
    that the interval of the number is wide where little is known.

    Args:
        d: differences of the pairs so far.
        tau: sd over test sets of the mean difference.
        level: error level of the confidence sequence.
        rope: half-width of the region of practical equivalence.
        rng: draws the true differences.
    """
    n = len(d)
    if n < 3 or np.ptp(d) == 0:
        return None
    spread = d.std(ddof=1) * np.sqrt((n - 1) / rng.chisquare(n - 1, DRAWS))
    true = d.mean() + spread / math.sqrt(n) * rng.normal(size=DRAWS)
    for_seeds, wider = spent(tau, level)
    room = np.maximum(np.abs(true) - wider, rope - np.abs(true) - wider)
    needed = np.maximum(_pairs_for(room / spread, for_seeds), fewest_pairs(for_seeds))
    needed = np.where(room > 0, needed, np.inf)
    more = np.maximum(needed - n, 1)
    low, median, high = np.quantile(more, [0.1, 0.5, 0.9], method="higher")
    return FurtherPairs(
        None if median > MOST else int(median),
        int(min(low, MOST)),
        None if high > MOST else int(high),
        float((room <= 0).mean()),
    )


def fewest_pairs(level: float) -> int:
    """Returns the smallest number of pairs that can decide, however large the difference."""
    return 1 + int(np.argmax(log_e_process(np.ones(200)) >= -math.log(level)))


def _pairs_for(half: Float[np.ndarray, " draws"], level: float) -> Float[np.ndarray, " draws"]:
    """Returns the n whose h(n) is `half`, by fixed-point iteration."""
    n = np.full(len(half), 30.0)
    for _ in range(30):
        n = (2 * math.log(1 / level) + np.log(np.maximum(n, 2)) + 0.3) / np.maximum(
            half, 1e-6
        ) ** 2
    pairs: Float[np.ndarray, " draws"] = np.ceil(n)
    return pairs
