"""Rates with exact intervals."""

from dataclasses import dataclass

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
        if not self.k:
            return 0.0
        from scipy.special import betaincinv  # Not needed by most commands.

        return float(betaincinv(self.k, self.n - self.k + 1, LEVEL / 2))

    @property
    def high(self) -> float:
        """Upper limit of the probability."""
        k, n = self.k, self.n
        if k == n:
            return 1.0
        from scipy.special import betaincinv

        return float(betaincinv(k + 1, n - k, 1 - LEVEL / 2))
