"""Coverage of the intervals of variance components; precision of designs for the mask's share.

    python -m tests.benchmarks.bench_seeds [--simulations N]

Scores are simulated from known components in the default design of 5 mask, 3 init and 3 data
seeds, for one configuration and pooled over four. Printed for every component: its true value, the
mean ANOVA estimate (unbiased) and REML estimate (truncated at zero), and how often the 95 %
intervals of the component and of its share contain the true value. Then the same with missing
scores, the precision of designs for a share of 44 %, and the time of an analysis of 1,000 runs.
"""

# ruff: noqa: T201
import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from study.analysis.comparison.components.components import Components, variance_components
from study.analysis.comparison.components.intervals import (
    component_limits,
    draw_complete,
    share_limits,
)
from study.analysis.comparison.components.reml import reml_of_strata
from study.analysis.comparison.components.strata import Strata, strata_of
from study.analysis.comparison.components.terms import TERMS, incidence
from study.analysis.comparison.design import Design, read_design

Truth = Mapping[str, float]
"""Components by term; absent ones are zero."""

DEFAULT = (5, 3, 3)
ALL_KINDS = {
    "mask": 1.0, "init": 1.0, "data": 0.5, "mask:init": 0.25, "mask:data": 0.25,
    "init:data": 0.25, "residual": 0.5,
}  # fmt: skip
POOLED = {
    **ALL_KINDS,
    "configuration:init": 0.25,
    "configuration:data": 0.25,
    "configuration:init:data": 0.1,
}
SCENARIOS: dict[str, tuple[int, Truth]] = {
    "all components": (1, ALL_KINDS),
    "no mask component": (1, {**ALL_KINDS, "mask": 0.0}),
    "no init component": (1, {**ALL_KINDS, "init": 0.0}),
    "mostly residual": (1, {"mask": 0.1, "init": 0.1, "data": 0.1, "residual": 1.0}),
    "pooled": (4, POOLED),
    "pooled, no mask component": (4, {**POOLED, "mask": 0.0}),
    "pooled, no init component": (4, {**POOLED, "init": 0.0}),
    "pooled, mostly residual": (
        4,
        {"mask": 0.1, "init": 0.1, "data": 0.1, "residual": 1.0},
    ),
}
DESIGNS = [(1, 5), (3, 3), (4, 3), (6, 3), (8, 3), (6, 4), (8, 5)]
"""Configurations, and seeds of mask and of init, of designs without data seeds."""


@dataclass(frozen=True)
class Coverage:
    """By term (t): true values, mean estimates, and coverage of the intervals."""

    terms: list[str]
    truth: np.ndarray
    anova: np.ndarray
    """Standard error in `anova_error`; nan where scores are missing."""
    anova_error: np.ndarray
    reml: np.ndarray
    covered: np.ndarray
    share_covered: np.ndarray


def default_strata(configurations: int) -> Strata:
    """The strata of the default design."""
    strata = strata_of((configurations, *DEFAULT, 1), terms_of(configurations))
    assert strata is not None
    return strata


def terms_of(configurations: int) -> list[str]:
    """The terms of the model."""
    return [name for name in TERMS if configurations > 1 or "configuration" not in name]


def coverage(
    configurations: int,
    truth: Truth,
    simulations: int,
    rng: np.random.Generator,
    draws: int = 1000,
    shares: bool = True,
) -> Coverage:
    """Simulates mean squares of complete designs; `shares` takes nine tenths of the time."""
    strata = default_strata(configurations)
    sigma = np.array([truth.get(name, 0.0) for name in strata.terms])
    expected = strata.weights @ sigma
    anova, reml, covered, share_covered = [], [], [], []
    for _ in range(simulations):
        squares = expected * rng.chisquare(strata.df) / strata.df
        drawn = draw_complete(strata, squares, draws, rng)
        anova.append(strata.solver @ squares)
        reml.append(reml_of_strata(strata, squares))
        covered.append(holds(component_limits(strata, drawn, reml[-1]), sigma))
        if shares:
            share_covered.append(
                holds(share_limits(strata, drawn, reml[-1], rng), sigma / sigma.sum())
            )
    return Coverage(
        strata.terms,
        sigma,
        np.mean(anova, axis=0),
        np.std(anova, axis=0) / np.sqrt(simulations),
        np.mean(reml, axis=0),
        np.mean(covered, axis=0),
        np.mean(share_covered, axis=0) if shares else np.full(len(sigma), np.nan),
    )


def incomplete_coverage(
    configurations: int, truth: Truth, missing: float, simulations: int, rng: np.random.Generator
) -> Coverage:
    """Simulates default designs in which every score is missing with probability `missing`."""
    terms = terms_of(configurations)
    sigma = np.array([truth.get(name, 0.0) for name in terms])
    reml, covered, share_covered = [], [], []
    for _ in range(simulations):
        found = variance_components(simulated(configurations, truth, rng, missing), rng, 1000)
        parts = [found[name] for name in terms]
        reml.append([part.estimate for part in parts])
        limits = np.array([[part.low, part.high] for part in parts], dtype=float).T
        covered.append(holds(limits, sigma))
        limits = np.array([[part.share_low, part.share_high] for part in parts], dtype=float).T
        share_covered.append(holds(limits, sigma / sigma.sum()))
    unknown = np.full(len(sigma), np.nan)
    means = [np.mean(values, axis=0) for values in (reml, covered, share_covered)]
    return Coverage(terms, sigma, unknown, unknown, *means)


def simulated(
    configurations: int,
    truth: Truth,
    rng: np.random.Generator,
    missing: float = 0.0,
    seeds: tuple[int, int, int] = DEFAULT,
) -> Design:
    """A crossed design with scores from normal effects."""
    cells = np.array(list(product(range(configurations), *map(range, seeds)))).T
    names = [f"c{number}" for number in cells[0]]
    design = read_design(names, *cells[1:], np.zeros(len(names)))
    scores = cells[0].astype(float)
    for name, codes in incidence(design).codes.items():
        scores += np.sqrt(truth.get(name, 0.0)) * rng.normal(size=codes.max() + 1)[codes]
    scores[rng.random(len(scores)) < missing] = np.nan
    return read_design(names, *cells[1:], scores)


def estimated_shares(
    configurations: int,
    seeds: int,
    simulations: int,
    rng: np.random.Generator,
    own_init: bool = True,
) -> np.ndarray:
    """Returns estimates of the mask's share from designs of seeds x seeds runs a configuration.

    The standard deviations are .010 for the mask, .010 for init and .005 for the residual: a share
    of .44. Init effects differ between configurations or, without `own_init`, are common to all.
    The estimate is the ANOVA component of the mask over the sum of all, with the mask and init
    components truncated at zero.
    """
    terms = ["mask", "init", "residual"]
    if configurations > 1:
        terms.insert(2, "configuration:init")
    strata = strata_of((configurations, seeds, seeds, 1, 1), terms)
    assert strata is not None
    of_init = "configuration:init" if own_init and configurations > 1 else "init"
    truth = {"mask": 1.0, of_init: 1.0, "residual": 0.25}
    expected = strata.weights @ [truth.get(name, 0.0) for name in terms]
    squares = expected * rng.chisquare(strata.df, (simulations, len(terms))) / strata.df
    found = dict(zip(terms, strata.solver @ squares.T, strict=True))
    mask = np.maximum(found["mask"], 0.0)
    init = np.maximum(found["init"] + found.get("configuration:init", 0.0), 0.0)
    shares: np.ndarray = mask / (mask + init + found["residual"])
    return shares


def holds(limits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns whether intervals (2, t) contain the true values (t,)."""
    found: np.ndarray = (limits[0] - 1e-9 <= truth) & (truth <= limits[1] + 1e-9)
    return found


def timed(design: Design) -> tuple[Components, float]:
    """Returns the components of a design, and the CPU seconds that they took."""
    start = time.process_time()
    return variance_components(design, np.random.default_rng(0)), time.process_time() - start


def print_coverage(title: str, found: Coverage) -> None:
    """Prints a table."""
    print(f"\n{title}\n")
    print("| component | truth | ANOVA | REML | coverage | coverage, share |")
    print("|---|---|---|---|---|---|")
    columns = (found.truth, found.anova, found.reml, found.covered, found.share_covered)
    for name, true, anova, reml, covered, share in zip(found.terms, *columns, strict=True):
        print(f"| {name} | {true:.2f} | {anova:.2f} | {reml:.2f} | {covered:.1%} | {share:.1%} |")


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=400, help="of each scenario")
    simulations = parser.parse_args().simulations
    for title, (configurations, truth) in SCENARIOS.items():
        rng = np.random.default_rng(0)
        print_coverage(title, coverage(configurations, truth, simulations, rng))
    for missing, configurations, truth in (
        (0.1, 1, ALL_KINDS),
        (0.3, 1, ALL_KINDS),
        (0.05, 4, POOLED),
    ):
        rng = np.random.default_rng(0)
        found = incomplete_coverage(configurations, truth, missing, simulations // 2, rng)
        print_coverage(
            f"{configurations} configurations, {missing:.0%} of the scores missing", found
        )
    print("\n| design | runs | 10-90 % of the share | within 15 points | with a common init |")
    print("|---|---|---|---|---|")
    for configurations, seeds in DESIGNS:
        rng = np.random.default_rng(0)
        own, common = (
            estimated_shares(configurations, seeds, 100_000, rng, flag) for flag in (True, False)
        )
        low, high = np.quantile(own, [0.1, 0.9])
        within = [np.mean(np.abs(shares - 4 / 9) <= 0.15) for shares in (own, common)]
        print(
            f"| {configurations} x {seeds} x {seeds} | {configurations * seeds**2} "
            f"| {low:.2f}-{high:.2f} | {within[0]:.2f} | {within[1]:.2f} |"
        )
    for missing in (0.0, 0.02):
        design = simulated(22, POOLED, np.random.default_rng(0), missing)
        found, seconds = timed(design)
        print(f"\n{found.runs} runs, {len(found.missing)} missing: {seconds:.1f} s")


if __name__ == "__main__":
    main()
