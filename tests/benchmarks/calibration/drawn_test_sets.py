"""Two equal methods where every pair draws its splits from one table (`task.resplit`)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from study.analysis.comparison.scores.crossed import estimate_mean, layout_of
from study.analysis.comparison.scores.paired import with_test_sets
from study.analysis.comparison.verdict.sequence import anytime_estimate
from study.influence import error_of_difference, error_of_overlap, influence
from tests.benchmarks.calibration.scenarios import LEVEL, LOOKS, PAIRS, Rate

SHARE = 0.1
"""Of the table, that a test set has."""


@dataclass(frozen=True)
class Table:
    """How hard the rows of a table are for each of two methods; units are never separated."""

    labels: Int[np.ndarray, " rows"]
    margins: Float[np.ndarray, "2 rows"]
    units: Int[np.ndarray, " rows"]

    @classmethod
    def drawn(cls, rows: int, units: int, by_method: float, rng: np.random.Generator) -> "Table":
        """Returns a table; what is hard for a method alone has the sd `by_method` over units."""
        own = np.arange(rows) * units // rows
        hard = 1.5 + 1.5 * rng.normal(size=rows) + by_method * rng.normal(size=(2, units))[:, own]
        return cls(np.arange(rows) % 2, hard, own)

    def test_rows(self, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
        """Returns the rows of whole units, `SHARE` of the table."""
        count = self.units[-1] + 1
        chosen = rng.permutation(count)[: max(1, round(SHARE * count))]
        return np.flatnonzero(np.isin(self.units, chosen))

    def pair(
        self, skill: float, rng: np.random.Generator
    ) -> tuple[float, Float[np.ndarray, "2 rows"]]:
        """Returns the difference in MCC of a pair of runs, and the influences of both.

        `skill` is the sd between runs. Influences are extended to all rows, as of stored outputs.
        """
        rows, psi, scores = self.test_rows(rng), np.zeros((2, len(self.labels))), []
        labels = self.labels[rows]
        for method in range(2):
            noise = skill * rng.normal() + rng.normal(size=len(rows))
            right = self.margins[method][rows] + noise > 0
            predicted = np.where(right, labels, 1 - labels)
            psi[method][rows] = influence("mcc", np.eye(2)[predicted], labels)
            scores.append(np.corrcoef(predicted, labels)[0, 1])
        return scores[0] - scores[1], psi * len(self.labels) / len(rows)


def scenarios_of_drawn_test_sets(sets: int) -> Iterator[Rate]:
    """Yields all rates of a tenth of `sets` data sets each."""
    few = max(20, sets // 10)
    yield from drawn_test_sets("drawn splits, methods alike by row", 3000, 3000, 0.3, 0.0, few)
    yield from drawn_test_sets("drawn splits, methods differ by row", 3000, 3000, 0.05, 1.0, few)
    yield from drawn_test_sets("drawn splits of 20 groups", 3000, 20, 0.05, 0.5, few)


def drawn_test_sets(
    name: str, rows: int, units: int, skill: float, by_method: float, sets: int
) -> Iterator[Rate]:
    """False alarms at any look, and coverage of the interval over seeds, splits and tables.

    Of few units the upper bound is used, so that its interval may be too wide.
    """
    rng, few = np.random.default_rng(10), units < rows
    layout = layout_of(tuple((n, n, n) for n in range(PAIRS)))
    alarms = held = 0
    for _ in range(sets):
        table = Table.drawn(rows, units, by_method, rng)
        made = [table.pair(skill, rng) for _ in range(PAIRS)]
        d, psi = np.array([one for one, _ in made]), np.array([own for _, own in made])
        taus = {
            n: error_of_overlap(d[:n], SHARE)
            if few
            else error_of_difference(psi[:n, 0], psi[:n, 1])
            for n in LOOKS
            if n <= PAIRS
        }
        found = [anytime_estimate(d[:n], tau) for n, tau in taus.items()]
        alarms += any((one.low or 0) > 0 or (one.high or 0) < 0 for one in found)
        estimate = estimate_mean(d, layout, rng, 199)
        low, high = with_test_sets(estimate, taus[PAIRS], 0.95, True) or (0.0, 0.0)
        held += low <= 0 <= high
    yield Rate(f"false alarms, {name}", alarms / sets, sets, high=LEVEL)
    bounds = (0.93, 1.0 if few else 0.97)
    yield Rate(f"coverage over splits and tables, {name}", held / sets, sets, *bounds)
