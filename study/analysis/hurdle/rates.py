"""Runs without a usable score of two configurations: exact tests of their rates.

Of pairs that are looked at again and again only those count in which one run of the two has no
usable score. If both configurations lose runs equally often, it is a fair coin whose run that is.
The e-process bets on a probability that is uniform between 0 and 1:

    E_n = 2^n k! (n - k)! / (n + 1)!

after n such pairs, k of which lost the run of a. It starts at 1 and has mean 1 if the coin is
fair, so that it ever exceeds 1 / alpha with probability at most alpha (Ville 1939).
"""

import math
from dataclasses import dataclass

from scipy.stats import binomtest, fisher_exact

from study.rates import LEVEL, Rate


@dataclass(frozen=True)
class Hurdle:
    """The runs without a usable score of configurations a and b."""

    a: Rate
    b: Rate
    only_a: int | None
    """Pairs in which only the run of a has no usable score; None if runs are not in pairs."""
    only_b: int | None
    level: float = LEVEL
    """Error level of `worse`."""

    @property
    def any(self) -> bool:
        """Whether there is such a run at all."""
        return bool(self.a.k or self.b.k)

    @property
    def p_value(self) -> float:
        """Exact two-sided p-value of equal rates, for a single look and one comparison.

        Of pairs by the signs of those that differ (McNemar's exact test), else Fisher's test.
        """
        if self.only_a is not None and self.only_b is not None:
            differ = self.only_a + self.only_b
            return float(binomtest(self.only_a, differ).pvalue) if differ else 1.0
        table = [[one.k, one.n - one.k] for one in (self.a, self.b)]
        return float(fisher_exact(table).pvalue)

    @property
    def log_e_value(self) -> float | None:
        """log E_n, evidence against equal rates at any look; None if runs are not in pairs."""
        if self.only_a is None or self.only_b is None:
            return None
        k, n = self.only_a, self.only_a + self.only_b
        return n * math.log(2) + math.lgamma(k + 1) + math.lgamma(n - k + 1) - math.lgamma(n + 2)

    @property
    def worse(self) -> str | None:
        """ "a" or "b", whichever has significantly more such runs at `level`; None if neither.

        At every look of pairs; for a single look of runs that are not in pairs.
        """
        if self.only_a is not None and self.only_b is not None:
            if (self.log_e_value or 0.0) < -math.log(self.level):
                return None
            return "a" if self.only_a > self.only_b else "b"
        if self.p_value > self.level:
            return None
        return "a" if self.a.share > self.b.share else "b"
