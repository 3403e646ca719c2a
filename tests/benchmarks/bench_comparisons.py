"""Coverage of intervals and false positives of tests for runs that share seeds.

    python -m tests.benchmarks.bench_comparisons [--sets N] [--draws N]

Simulated differences of 45 runs against 9, 5 x 3 x 3 seeds, whose true mean is zero. One row for
each set of variance components (standard deviations relative to that of one run); percentages.
"differ": false positives at 5 %, also at 1 %. "mean": coverage of its 95 % interval; "half":
median half-width. "IQM": coverage of the bootstrap interval of the interquartile mean. For
comparison the false positives of a t-test, and of sign flips of whole (init, data) cells.
"P(imp.)": coverage of the interval of P(improvement) for two equal configurations. Then the CPU
time of an analysis of about a thousand runs.
"""

# ruff: noqa: T201
import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import ttest_1samp

from study.analysis.comparison import analyse, write_analysis
from study.analysis.comparison.scores.crossed import Layout, estimate_mean
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    limits,
    weighted_improvement,
    weighted_iqm,
    win_matrix,
)
from tests.study.analysis.comparison.components.simulated_scores import SCENARIOS, SEEDS, simulated
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    RS,
    crossed,
    write,
    write_outputs,
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=2000, help="simulated data sets a row")
    parser.add_argument("--draws", type=int, default=499, help="of the simulated distributions")
    parser.add_argument("--missing", type=int, default=0, help="random cells without a score")
    arguments = parser.parse_args()
    error = 196 * np.sqrt(0.05 * 0.95 / arguments.sets)
    print(f"{arguments.sets} data sets a row: 5.0 is known to +- {error:.1f}")
    names = ("differ", "at 1 %", "mean", "half", "IQM", "t-test", "cells", "P(imp.)")
    print(f"{'':32}" + "".join(f"{name:>9}" for name in names))
    for name, sd in SCENARIOS.items():
        row = _row(np.random.default_rng(0), sd, arguments)
        print(f"{name:32}" + "".join(f"{value:9.2f}" for value in row), flush=True)
    runs, seconds = _thousand()
    print(f"\nThe analysis of {runs} runs, page and pictures included: {seconds:.1f} s")


def _thousand() -> tuple[int, float]:
    """Runs and processor seconds of 22 configurations of AdaLoRA+RS and one of AdaLoRA."""
    many = [replace(RS, label=f"rs{n}", settings={**RS.settings, "p": n / 100}) for n in range(22)]
    rows = crossed([*many, ADALORA])
    with TemporaryDirectory() as folder:
        write_outputs(write(Path(folder), rows), rows)
        started = time.process_time()
        write_analysis(analyse([Path(folder)]))
        return len(rows), time.process_time() - started


def _row(rng: np.random.Generator, sd: dict[str, float], arguments: argparse.Namespace) -> list:
    sets = simulated(rng, sd, arguments.sets)
    others = simulated(rng, sd, arguments.sets)
    kept = np.sort(rng.permutation(len(SEEDS))[arguments.missing :])
    layout, seeds = Layout(SEEDS[kept]), SEEDS[kept]
    found, iqm, improvement = [], [], []
    for y, z in zip(sets[:, kept], others[:, kept], strict=True):
        found.append(estimate_mean(y, layout, rng, arguments.draws))
        weights = SeedBootstrap(seeds, rng, arguments.draws).weights(seeds)
        low, high = limits(weighted_iqm(y, weights))
        iqm.append(low <= 0 <= high)
        low, high = limits(weighted_improvement(win_matrix(y, z), weights, weights))
        improvement.append(low <= 0.5 <= high)
    return [
        100 * np.mean([one.p_value <= 0.05 for one in found]),
        100 * np.mean([one.p_value <= 0.01 for one in found]),
        100 * np.mean([one.low <= 0 <= one.high for one in found]),
        np.median([one.high - one.mean for one in found]),
        100 * np.mean(iqm),
        100 * np.mean(ttest_1samp(sets, 0, axis=1).pvalue <= 0.05),
        100 * np.mean([_cells(y, rng, arguments.draws) <= 0.05 for y in sets]),
        100 * np.mean(improvement),
    ]


def _cells(y: np.ndarray, rng: np.random.Generator, draws: int) -> float:
    """The p-value of sign flips of whole (init, data) cells, which ignore the mask's effect."""
    cells = y.reshape(5, 9).mean(axis=0)
    flipped = (rng.choice([-1.0, 1.0], (draws, 9)) * cells).mean(axis=1)
    return (1 + (np.abs(flipped) >= abs(cells.mean()) - 1e-12).sum()) / (draws + 1)


if __name__ == "__main__":
    main()
