"""Whether the comparisons of seeds keep what their pages say, by simulation.

    python -m tests.benchmarks.calibration.bench_calibration [--sets N]

One row per scenario: false alarms at any of nine looks, families of ten pairs, power, coverage,
small test sets, splits that data seeds draw, crossed seeds, collapsing runs, ties over tasks,
several tasks, interquartile means, shares of the variance, the audit of early stopping, tables of
benchmarks. Ends with status 1 if a rate is outside its bounds by more than three standard errors
of the simulation.
"""

# ruff: noqa: T201
import argparse
import sys
from itertools import chain

from tests.benchmarks.calibration.benchmark_scenarios import benchmark_scenarios
from tests.benchmarks.calibration.drawn_test_sets import scenarios_of_drawn_test_sets
from tests.benchmarks.calibration.further_scenarios import further_scenarios
from tests.benchmarks.calibration.scenarios import scenarios


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=4000, help="data sets of a scenario")
    print("| scenario | rate | must be | data sets |\n|---|---|---|---|")
    failed = False
    sets = parser.parse_args().sets
    every = scenarios, scenarios_of_drawn_test_sets, further_scenarios, benchmark_scenarios
    for rate in chain.from_iterable(of(sets) for of in every):
        bounds = f"{rate.low:.1%} to {rate.high:.1%}"
        mark = "" if rate.holds else " FAILED"
        print(f"| {rate.name} | {rate.found:.1%}{mark} | {bounds} | {rate.sets} |", flush=True)
        failed |= not rate.holds
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
