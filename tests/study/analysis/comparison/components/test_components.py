"""Variance components: estimates, components that cannot be estimated, and missing scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from study.analysis.comparison import analyse
from study.analysis.comparison.components.components import (
    Component,
    Components,
    variance_components,
)
from study.analysis.comparison.components.intervals import (
    HEAVY,
    IncompleteGrid,
    _missing_scores,
    draw_incomplete,
    incomplete_grid,
)
from study.analysis.comparison.components.strata import grid_indices, strata_of
from study.analysis.comparison.components.terms import TERMS, incidence
from study.analysis.comparison.design import Design, read_design
from tests.study.analysis.comparison.made_comparisons import RS, crossed, write
from tests.study.analysis.comparison.made_scores import KINDS, changed, made_design

ONE = [name for name in TERMS if "configuration" not in name]


def components(design: Design, draws: int = 500) -> Components:
    return variance_components(design, np.random.default_rng(0), draws)


def known(found: Components) -> list[str]:
    return [part.name for part in found.components if part.estimate is not None]


def reasons(found: Components) -> dict[str, str]:
    return {part.name: part.reason for part in found.components if part.reason}


@pytest.mark.parametrize("without", [(), (2, 17, 40)])
def test_every_component_has_an_estimate_and_a_share_within_its_limits(
    without: tuple[int, ...],
) -> None:
    for seed in range(4):
        found = components(made_design(np.random.default_rng(seed), without=without))
        assert [part.name for part in found.components] == ONE
        assert found.total == pytest.approx(sum(part.estimate or 0 for part in found.components))
        assert sum(part.share or 0 for part in found.components) == pytest.approx(1)
        for part in found.components:
            assert part.low is not None
            assert 0 <= part.low <= part.estimate <= part.high
            assert 0 <= part.share_low <= part.share <= part.share_high <= 1
        assert found.runs == 45 - len(without) == 45 - len(found.missing)


def test_pooled_components_separate_common_from_own_effects() -> None:
    rng = np.random.default_rng(1)
    design = made_design(
        rng, (10, 2, 12, 2), {"init": 1.0, "configuration:init": 0.5, "residual": 0.1}
    )
    found = components(design)
    assert [part.name for part in found.components] == list(TERMS)
    assert found["init"].estimate == pytest.approx(1.0, rel=0.7)
    assert found["configuration:init"].estimate == pytest.approx(0.5, rel=0.3)
    assert found["residual"].estimate == pytest.approx(0.1, rel=0.2)
    assert found["mask"].estimate < 0.02


def test_the_same_generator_gives_the_same_limits() -> None:
    design = made_design(np.random.default_rng(0), without=(3,))
    assert components(design) == components(design)


def test_with_one_init_seed_its_component_is_unknown_and_the_others_are_estimated() -> None:
    found = components(made_design(np.random.default_rng(0), (1, 5, 1, 3)))
    assert known(found) == ["mask", "data", "residual"]
    assert reasons(found) == {
        "init": "one init seed: the same in every score",
        "mask:init": "one init seed: included in mask",
        "mask:data": "one init seed: included in residual",
        "init:data": "one init seed: included in data",
    }


def test_one_mask_seed_of_several_configurations_is_included_in_other_components() -> None:
    found = components(made_design(np.random.default_rng(0), (3, 1, 3, 3)))
    assert reasons(found)["mask"] == "one mask seed: the same in every score"
    assert reasons(found)["mask:init"] == "one mask seed: included in configuration:init"
    assert {"init", "data", "configuration:init", "init:data"} <= set(known(found))


def test_a_configuration_without_a_mask_has_no_mask_component() -> None:
    masked = made_design(np.random.default_rng(0), (1, 1, 4, 4))
    design = Design([cell._replace(mask=-1) for cell in masked.cells], masked.score)
    found = components(design)
    assert known(found) == ["init", "data", "residual"]
    assert reasons(found)["mask"] == "no random mask"
    assert reasons(found)["mask:data"] == "no random mask"


def test_configurations_with_and_without_a_mask_are_not_pooled() -> None:
    design = read_design(["a", "a", "b"], [0, 1, -1], [0, 0, 0], [0, 0, 0], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="masked"):
        components(design)
    assert known(components(design.masked())) == ["residual"]


def test_runs_that_share_no_seed_have_a_residual_component_only() -> None:
    seeds = np.arange(40)
    scores = np.random.default_rng(0).normal(size=40)
    found = components(read_design(["a"] * 40, seeds, seeds, seeds, scores), draws=4000)
    assert known(found) == ["residual"]
    assert found["residual"].estimate == pytest.approx(scores.var(ddof=1), rel=1e-3)
    # The interval of a variance from 39 degrees of freedom, spread around its median.
    for limit, chi in ((found["residual"].low, 58.12), (found["residual"].high, 23.65)):
        spread = 39 / 38.34 * (38.34 / chi) ** HEAVY
        assert limit == pytest.approx(scores.var(ddof=1) * spread, rel=0.04)
    assert reasons(found)["mask"] == "too few seeds: included in residual"


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_runs_have_no_components(count: int) -> None:
    zeros = [0] * count
    found = components(read_design(["a"] * count, zeros, zeros, zeros, [0.5] * count))
    assert known(found) == []
    assert found.total == 0
    assert found["residual"].reason == ["no run has a score", "one run per configuration"][count]


def test_scores_that_are_all_equal_have_components_of_zero_and_no_shares() -> None:
    design = made_design(np.random.default_rng(0))
    found = components(changed(design, np.full(45, 0.7)))
    assert found["mask"] == Component("mask", 0.0, 0.0, 0.0, reason="the scores do not vary")


def test_a_grid_with_too_many_gaps_has_estimates_without_intervals() -> None:
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, 12, size=(3, 400))
    seeds = np.unique(seeds, axis=1)[:, :300]
    found = components(read_design(["a"] * 300, *seeds, rng.normal(size=300)))
    assert found["mask"].estimate is not None
    assert found["mask"].low is None
    assert found["mask"].reason == "no interval: too few seeds are common to the runs"


def test_the_sums_of_squares_of_a_grid_with_gaps_are_those_of_the_filled_grid() -> None:
    strata, grid, scores, gaps = gapped()
    y = np.array([0.3, -1.0, 2.0])
    filled = scores.copy()
    filled[gaps] = y + filled[np.setdiff1d(np.arange(45), gaps)].mean()
    sums = grid.constant + 2 * grid.linear @ y + np.einsum("i,sij,j->s", y, grid.quadratic, y)
    expected = strata.mean_squares(filled.reshape(strata.shape)) * strata.df
    assert sums == pytest.approx(expected)


def test_missing_scores_are_drawn_from_their_distribution_given_the_others() -> None:
    strata, grid, scores, gaps = gapped()
    sizes = np.array([KINDS[name] for name in strata.terms])
    expected = np.tile(strata.weights @ sizes, (20_000, 1))
    drawn = _missing_scores(grid, expected, np.random.default_rng(0))
    model = incidence(changed(made_design(np.random.default_rng(0)), np.zeros(45)))
    V = sum(s * np.equal.outer(c, c) for s, c in zip(sizes, model.codes.values(), strict=True))
    V += 1e6  # The mean is unknown.
    rest = np.setdiff1d(np.arange(45), gaps)
    pull = V[np.ix_(gaps, rest)] @ np.linalg.inv(V[np.ix_(rest, rest)])
    mean = pull @ (scores[rest] - scores[rest].mean())
    spread = V[np.ix_(gaps, gaps)] - pull @ V[np.ix_(rest, gaps)]
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.03)
    assert np.cov(drawn.T) == pytest.approx(spread, abs=0.05)


def test_a_seed_of_which_every_score_is_missing_changes_no_draw() -> None:
    terms, rng = ["mask", "residual"], np.random.default_rng(0)
    small, large = (strata_of((1, masks, 1, 1, 4), terms) for masks in (4, 5))
    assert small is not None
    assert large is not None
    scores = rng.normal(size=(4, 4)) + rng.normal(size=(4, 1))
    squares = small.mean_squares(scores.reshape(small.shape))
    grid = incomplete_grid(large, np.argwhere(np.ones(small.shape)), scores.ravel())
    drawn = draw_incomplete(large, grid, np.ones(2), 60_000, rng)
    for stratum, df in enumerate(small.df):
        for level in (0.025, 0.5, 0.975):
            expected = squares[stratum] * df / chi2.ppf(1 - level, df)
            assert np.quantile(drawn[:, stratum], level) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("without", [(), (8,)])
def test_mask_seeds_that_change_nothing_have_components_of_zero(without: tuple[int, ...]) -> None:
    sizes = {"init": 1.0, "data": 1.0, "init:data": 0.5}
    found = components(made_design(np.random.default_rng(0), sizes=sizes, without=without))
    for name in ("mask", "mask:init", "mask:data", "residual"):
        assert found[name].share == pytest.approx(0, abs=1e-6)
        assert found[name].share_high == pytest.approx(0, abs=1e-3)
    assert found["init:data"].estimate > 0


def test_components_do_not_depend_on_the_means_of_configurations() -> None:
    design = made_design(np.random.default_rng(0), (2, 3, 3, 3))
    far = design.score + 1e6 * np.array([cell.configuration == "c1" for cell in design.cells])
    near, moved = components(design), components(changed(design, far))
    for one, other in zip(near.components, moved.components, strict=True):
        assert other.estimate == pytest.approx(one.estimate, rel=1e-4, abs=1e-6)
        assert other.high == pytest.approx(one.high, rel=1e-4, abs=1e-6)


def test_draws_are_as_many_as_asked_for() -> None:
    strata, grid, _, _ = gapped()
    drawn = draw_incomplete(strata, grid, np.ones(7), 333, np.random.default_rng(0))
    assert drawn.shape == (333, 7)
    assert (drawn > 0).all()


def gapped() -> tuple[object, IncompleteGrid, np.ndarray, np.ndarray]:
    """A default design with three gaps: strata, grid, all scores and where the gaps are."""
    gaps = np.array([4, 20, 33])
    whole = made_design(np.random.default_rng(0))
    score = whole.score.copy()
    score[gaps] = np.nan
    design = changed(whole, score)
    model = incidence(design)
    index = grid_indices(model.columns, ONE)
    strata = strata_of((1, 5, 3, 3, 1), ONE)
    assert strata is not None
    return strata, incomplete_grid(strata, index, design.scores), whole.score, gaps


def test_a_collapsed_run_is_not_the_variance_of_all_others(tmp_path: Path) -> None:
    made = replace(RS, sd={"mask": 0.02, "rest": 0.005})
    rows = crossed([made], rng=np.random.default_rng(2))
    clean = analyse([write(tmp_path / "a", rows)]).tasks[0].variance_components[0]
    rows[7]["test_mcc"] = 0.001
    found = analyse([write(tmp_path / "b", rows)]).tasks[0].variance_components[0]
    before, after = clean.components["mask"].share, found.components["mask"].share
    assert before is not None
    assert after == pytest.approx(before, abs=0.05)
    assert found.components.runs == 44
