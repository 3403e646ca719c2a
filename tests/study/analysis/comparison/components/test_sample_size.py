"""Sample sizes of shares against simulations, and edge cases."""

import numpy as np
import pytest

from study.analysis.comparison.components.components import Component, Components
from study.analysis.comparison.components.sample_size import (
    RunsNeeded,
    runs_for_share,
    share_error,
)
from study.analysis.comparison.components.strata import strata_of
from study.analysis.comparison.components.terms import TERMS

FIRST = (1, 5, 3, 3)
SIZES = {"mask": 0.2, "init": 0.05, "data": 0.05, "residual": 1.0}


def given(
    sizes: dict[str, float], counts: tuple[int, int, int, int] = FIRST, hidden: str = ""
) -> Components:
    """Components as if estimated; `hidden` could not be."""
    names = [name for name in TERMS if counts[0] > 1 or "configuration" not in name]
    parts = [
        Component(name, reason=f"one {name} seed: the same in every score")
        if name == hidden
        else Component(name, sizes.get(name, 0.0))
        for name in names
    ]
    levels = dict(zip(("configuration", "mask", "init", "data"), counts, strict=True))
    return Components(parts, levels, int(np.prod(counts)), [])


def test_a_share_that_is_known_well_needs_no_runs() -> None:
    assert runs_for_share(given({"residual": 1.0}, (1, 9, 4, 4))) == RunsNeeded(9, 4, 4, 144)


def test_a_share_that_cannot_be_known_has_a_reason() -> None:
    assert "mask is unknown" in runs_for_share(given(SIZES, (1, 1, 3, 3), "mask")).reason
    assert "init is unknown" in runs_for_share(given(SIZES, (1, 5, 1, 3), "init")).reason
    assert "vary" in runs_for_share(given({})).reason
    assert runs_for_share(given({"mask": 1.0, "init": 1.0, "residual": 0.1})).reason == (
        "more than 1,000 runs"
    )


@pytest.mark.parametrize(("counts", "seed"), [((4, 8, 6, 6), 0), ((1, 12, 8, 8), 1)])
def test_the_error_of_a_share_is_that_of_simulated_estimates(
    counts: tuple[int, int, int, int], seed: int
) -> None:
    sizes = {"mask": 1.0, "init": 0.3, "data": 0.3, "mask:init": 0.2, "residual": 0.5}
    found = given(sizes, counts)
    terms = [part.name for part in found.components]
    strata = strata_of((*counts, 1), terms)
    assert strata is not None
    expected = strata.weights @ [sizes.get(name, 0.0) for name in terms]
    draws = np.random.default_rng(seed).chisquare(strata.df, (20_000, len(terms)))
    estimates = (expected * draws / strata.df) @ strata.solver.T
    shares = estimates[:, 0] / estimates.sum(axis=1)
    seeds = dict(zip(("mask", "init", "data"), np.array([counts[1:]]).T, strict=True))
    assert share_error(found, seeds)[0] == pytest.approx(shares.std(), rel=0.15)


def test_more_seeds_than_the_plan_has_are_not_needed_for_a_share() -> None:
    found = given({"mask": 1.0, "init": 0.05, "data": 0.05, "residual": 1.0}, (4, 5, 3, 3))
    plan = runs_for_share(found)
    assert not plan.reason
    assert plan.further == plan.runs - 180 > 0
    assert plan.runs == 4 * plan.mask * plan.init * plan.data
    fewer = {"mask": [plan.mask - 1], "init": [plan.init], "data": [plan.data]}
    error = share_error(found, {name: np.array(seeds) for name, seeds in fewer.items()})
    assert 1.96 * error[0] > 0.15
