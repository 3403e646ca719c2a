"""How much the search score of a candidate should count in the race of the finalists.

    python -m tests.benchmarks.race.bench_race [--studies N]

Races are simulated (simulated_races.py) at the sizes of the shipped studies. For each case a row
has the mean regret, by how much the true score of the chosen trial falls short of the best true
score, in sd of the noise of a single run: of the best single score of the search, and of the races
with several weights of the search score, where a score with fresh seeds has the weight 1.
"""

# ruff: noqa: T201
import argparse

import numpy as np

from tests.benchmarks.race.simulated_races import CASES, field, race

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
SPREADS = (0.3, 1.0)
"""sd of the true scores. Recorded studies: 0.3 among the better half, 1 to 2 among all."""
SIZES = ((16, 9, 4), (64, 36, 16))
"""(trials, of which complete, candidates): of adalora_rs.yaml, and of a study of 64 trials."""


def main() -> None:
    """Prints one table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=20000, help="of every row")
    studies = parser.parse_args().studies
    for trials, complete, candidates in SIZES:
        print(f"\n{trials} trials, {complete} complete, {candidates} candidates\n")
        print("| case | sd of true scores | best single |", *(f"weight {w:g} |" for w in WEIGHTS))
        print("|---|---|---|" + "---|" * len(WEIGHTS))
        worst = np.zeros(len(WEIGHTS))
        for case in CASES:
            for spread in SPREADS:
                rng = np.random.default_rng(0)
                simulated = field(case, spread, complete, candidates, studies, rng)
                single = simulated.regret(np.zeros(studies, int)).mean()
                found = np.array([simulated.regret(race(simulated, w)).mean() for w in WEIGHTS])
                worst = np.maximum(worst, found - found.min())
                cells = [f"{spread:g}", f"{single:.3f}", *(f"{one:.3f}" for one in found)]
                print(f"| {case.name} | " + " | ".join(cells) + " |", flush=True)
        print("| largest loss against the best weight | | |", *(f"{w:.3f} |" for w in worst))


if __name__ == "__main__":
    main()
