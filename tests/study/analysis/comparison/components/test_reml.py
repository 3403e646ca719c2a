"""REML against the likelihood, statsmodels, and the analysis of variance of complete designs."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from study.analysis.comparison.components.components import Components, variance_components
from study.analysis.comparison.components.reml import reml_of_scores, reml_of_strata
from study.analysis.comparison.components.strata import AXES, Strata, grid_indices, strata_of
from study.analysis.comparison.components.terms import TERMS, incidence
from study.analysis.comparison.design import Design
from tests.study.analysis.comparison.made_scores import KINDS, changed, made_design

SOME_MISSING = (3, 10, 21, 30, 44)
POOLED = {**KINDS, "configuration:init": 0.3, "configuration:data": 0.2}


def estimates(found: Components) -> dict[str, float | None]:
    return {part.name: part.estimate for part in found.components}


def reml(design: Design) -> dict[str, float | None]:
    return estimates(variance_components(design, np.random.default_rng(0), draws=50))


def alike(design: Design, name: str) -> np.ndarray:
    """Which scores share an effect of a term, (n, n), cell by cell."""
    axes = [axis for axis in TERMS[name] if axis != "replicate"]
    return np.array(
        [
            [
                all(getattr(one, axis) == getattr(other, axis) for axis in axes)
                for one in design.scored
            ]
            for other in design.scored
        ]
    )


def literal_deviance(
    design: Design, shared: dict[str, np.ndarray], sizes: np.ndarray | list[float]
) -> float:
    """-2 log of the restricted likelihood, with every matrix written out."""
    cells, y = design.scored, design.scores
    V = sum(size * same for size, same in zip(sizes, shared.values(), strict=True))
    labels = design.configurations
    X = np.array([[cell.configuration == label for label in labels] for cell in cells], float)
    inverse = np.linalg.inv(V)
    XVX = X.T @ inverse @ X
    left = y - X @ np.linalg.solve(XVX, X.T @ inverse @ y)
    logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(XVX)[1]
    return logs + left @ inverse @ left


@pytest.mark.parametrize(
    ("counts", "without", "seed"),
    [((1, 3, 2, 3), (), 0), ((1, 4, 3, 2), (5, 11), 1), ((2, 3, 2, 2), (7,), 2)],
)
def test_no_components_are_more_likely_than_the_estimate(
    counts: tuple[int, int, int, int], without: tuple[int, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    design = made_design(rng, counts, POOLED if counts[0] > 1 else KINDS, without)
    found = {name: size for name, size in reml(design).items() if size is not None}
    shared = {name: alike(design, name) for name in found}
    best = literal_deviance(design, shared, list(found.values()))

    def deviance(roots: np.ndarray) -> float:
        return literal_deviance(design, shared, roots**2)

    for start in (np.sqrt(list(found.values())) + 0.05, np.full(len(found), 0.7)):
        result = minimize(deviance, start, method="L-BFGS-B", options={"maxiter": 60})
        assert best <= result.fun + 1e-6
    assert result.fun == pytest.approx(best, abs=0.05)


@pytest.mark.parametrize("without", [(), SOME_MISSING])
def test_estimates_are_those_of_statsmodels(without: tuple[int, ...]) -> None:
    sizes = {"mask": 1.0, "init": 1.0, "data": 0.7, "residual": 0.3}
    design = made_design(np.random.default_rng(5), (1, 5, 4, 3), sizes, without)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import statsmodels.formula.api as smf

        table = pd.DataFrame([cell._asdict() for cell in design.scored])
        table["score"], table["all"] = design.scores, 1
        parts = {name: f"0 + C({name})" for name in ("mask", "init", "data")}
        fit = smf.mixedlm("score ~ 1", table, groups="all", vc_formula=parts).fit()
    model = incidence(design).only(["mask", "init", "data", "residual"])
    ours = dict(zip(model.codes, reml_of_scores(model, design.scores), strict=True))
    statsmodels_estimates = dict(zip(sorted(parts), fit.vcomp, strict=True)) | {
        "residual": fit.scale
    }
    assert min(statsmodels_estimates.values()) > 0.05, "an estimate at zero would compare nothing"
    assert ours == pytest.approx(statsmodels_estimates, rel=2e-3)


@pytest.mark.parametrize("configurations", [1, 3])
def test_a_complete_design_has_the_same_estimates_from_its_mean_squares(
    configurations: int,
) -> None:
    for seed in range(5):
        design = made_design(np.random.default_rng(seed), (configurations, 4, 3, 2), POOLED)
        by_squares = reml(design)
        model = incidence(design)
        by_scores = reml_of_scores(model, design.scores)
        assert list(by_squares.values()) == pytest.approx(by_scores, abs=1e-4)


def strata_and_grid(design: Design) -> tuple[Strata, np.ndarray]:
    model = incidence(design)
    index = grid_indices(model.columns, list(model.codes))
    strata = strata_of(tuple(index.max(axis=0) + 1), list(model.codes))
    assert strata is not None
    grid = np.zeros(strata.shape)
    grid[tuple(index.T)] = design.scores
    return strata, grid


def test_without_negative_estimates_it_is_the_analysis_of_variance() -> None:
    compared = 0
    for seed in range(30):
        strata, grid = strata_and_grid(made_design(np.random.default_rng(seed)))
        squares = strata.mean_squares(grid)
        anova = strata.solver @ squares
        found = reml_of_strata(strata, squares)
        assert (found >= 0).all()
        if (anova > 0).all():
            compared += 1
            assert found == pytest.approx(anova, rel=1e-4)
        elif found.any():
            assert (found == 0).any()
    assert compared > 3


def test_mean_squares_of_a_two_way_table_are_the_known_ones() -> None:
    design = made_design(
        np.random.default_rng(3), (1, 4, 3, 1), {"mask": 1, "init": 1, "residual": 1}
    )
    y = design.scores.reshape(4, 3)
    rows, columns = y.mean(axis=1), y.mean(axis=0)
    left = y - rows[:, None] - columns + y.mean()
    ms_row, ms_column, ms_left = 3 * rows.var(ddof=1), 4 * columns.var(ddof=1), (left**2).sum() / 6
    expected = [(ms_row - ms_left) / 3, (ms_column - ms_left) / 4, ms_left]
    strata = strata_of((1, 4, 3, 1, 1), ["mask", "init", "residual"])
    assert strata is not None
    squares = strata.mean_squares(y.reshape(strata.shape))
    assert sorted(squares) == pytest.approx(sorted([ms_row, ms_column, ms_left]))
    assert strata.solver @ squares == pytest.approx(expected)


def test_expected_mean_squares_are_those_of_the_models_covariance() -> None:
    design = made_design(np.random.default_rng(0), (3, 2, 3, 2))
    strata, _ = strata_and_grid(design)
    model = incidence(design)
    sizes = np.linspace(0.2, 2.0, len(strata.terms))
    V = sum(
        size * np.equal.outer(codes, codes)
        for size, codes in zip(sizes, model.codes.values(), strict=True)
    )
    root = np.linalg.cholesky(V)
    # E[y'Py] = tr(P V) = the sum over the columns of the root of V.
    columns = [strata.mean_squares(column.reshape(strata.shape)) for column in root.T]
    assert np.sum(columns, axis=0) == pytest.approx(strata.weights @ sizes)
    assert strata.df.sum() == len(design.cells) - 3
    assert strata.shape == (3, 2, 3, 2, 1), dict(zip(AXES, strata.shape, strict=True))


@pytest.mark.parametrize("without", [(), SOME_MISSING])
def test_estimates_follow_shift_and_scale_and_ignore_the_names_of_seeds(
    without: tuple[int, ...],
) -> None:
    design = made_design(np.random.default_rng(8), (2, 5, 3, 3), POOLED, without)
    plain = reml(design)
    moved = reml(changed(design, 100.0 - 3e-4 * design.score))
    assert moved == pytest.approx(
        {name: 9e-8 * size for name, size in plain.items()}, rel=1e-3, abs=1e-12
    )
    renamed = [
        cell._replace(mask=90 - cell.mask, init=(cell.init + 1) % 3, data=7 + cell.data)
        for cell in design.cells
    ]
    order = np.random.default_rng(0).permutation(len(renamed))
    again = reml(Design([renamed[at] for at in order], design.score[order]))
    assert again == pytest.approx(plain, rel=1e-3, abs=1e-5)
