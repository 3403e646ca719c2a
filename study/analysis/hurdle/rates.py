"""Rates of runs without a usable score: exact intervals, exact tests of two of them."""

from dataclasses import dataclass

from scipy.special import betaincinv
from scipy.stats import binomtest, fisher_exact

LEVEL = 0.05


@dataclass(frozen=True)
class Rate:
    """k of n runs, with the exact 95 % interval of their probability (Clopper, Pearson 1934)."""

    k: int
    n: int

    @property
    def share(self) -> float:
        """k / n; 0 without runs."""
        return self.k / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        """Lower limit of the probability."""
        return float(betaincinv(self.k, self.n - self.k + 1, LEVEL / 2)) if self.k else 0.0

    @property
    def high(self) -> float:
        """Upper limit of the probability."""
        k, n = self.k, self.n
        return float(betaincinv(k + 1, n - k, 1 - LEVEL / 2)) if k < n else 1.0


@dataclass(frozen=True)
class Hurdle:
    """The runs without a usable score of configurations a and b."""

    a: Rate
    b: Rate
    only_a: int | None
    """Pairs in which only the run of a has no usable score; None if runs are not in pairs."""
    only_b: int | None

    @property
    def any(self) -> bool:
        """Whether there is such a run at all."""
        return bool(self.a.k or self.b.k)

    @property
    def p_value(self) -> float:
        """Exact two-sided p-value of equal rates, for a single look.

        Of pairs by the signs of those that differ (McNemar's exact test), else Fisher's test.
        """
        if self.only_a is not None and self.only_b is not None:
            differ = self.only_a + self.only_b
            return float(binomtest(self.only_a, differ).pvalue) if differ else 1.0
        table = [[one.k, one.n - one.k] for one in (self.a, self.b)]
        return float(fisher_exact(table).pvalue)

    @property
    def worse(self) -> str | None:
        """ "a" or "b", whichever has significantly more such runs at 5 %; None if neither."""
        if self.p_value > LEVEL:
            return None
        if self.only_a is not None and self.only_b is not None:
            return "a" if self.only_a > self.only_b else "b"
        return "a" if self.a.share > self.b.share else "b"
