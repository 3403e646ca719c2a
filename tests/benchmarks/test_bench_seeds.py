"""Coverage of the intervals of variance components; precision of designs for the mask's share."""

import numpy as np
import pytest

from study.analysis.comparison.components import intervals
from study.analysis.comparison.components.components import variance_components
from tests.benchmarks.bench_seeds import (
    ALL_KINDS,
    DESIGNS,
    SCENARIOS,
    Coverage,
    coverage,
    estimated_shares,
    incomplete_coverage,
    print_coverage,
    simulated,
)

pytestmark = pytest.mark.slow  # The rules are tested in tests/study/analysis/comparison.

PUBLISHED = {
    (1, 5): (0.14, 0.71, 0.46),
    (3, 3): (0.19, 0.67, 0.54),
    (4, 3): (0.23, 0.65, 0.62),
    (6, 3): (0.26, 0.62, 0.71),
    (8, 3): (0.29, 0.59, 0.79),
    (6, 4): (0.30, 0.59, 0.82),
    (8, 5): (0.34, 0.55, 0.93),
}


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def check(found: Coverage, covered: np.ndarray) -> None:
    """92 to 98 % of the intervals contain the true value; more for a component near zero."""
    assert (covered >= 0.92).all(), covered
    large = found.truth >= 0.25
    assert (covered[large] <= 0.98).all(), covered


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_estimates_are_unbiased_and_intervals_contain_the_truth(scenario: str) -> None:
    configurations, truth = SCENARIOS[scenario]
    found = coverage(configurations, truth, 300, rng(), shares=False)
    assert (np.abs(found.anova - found.truth) <= 4 * found.anova_error).all()
    check(found, found.covered)
    # REML estimates are truncated at zero: biased upwards near zero, unbiased far from it.
    assert (found.reml[found.truth == 0] > 0).all()
    if found.truth[0] == 1:
        assert abs(found.reml[0] - 1) <= 4 * found.anova_error[0]


@pytest.mark.parametrize("scenario", ["all components", "pooled, mostly residual"])
def test_intervals_of_shares_contain_the_truth(
    scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "_SIMULATED", 150)
    monkeypatch.setattr(intervals, "_DRAWS", 300)
    configurations, truth = SCENARIOS[scenario]
    found = coverage(configurations, truth, 300, rng())
    check(found, found.share_covered)


def test_with_missing_scores_coverage_is_nearly_as_good() -> None:
    found = incomplete_coverage(1, ALL_KINDS, 0.1, 40, rng())
    for covered in (found.covered, found.share_covered):
        assert 0.91 <= covered.mean() <= 0.985
        assert covered.min() >= 0.85


@pytest.mark.parametrize(("configurations", "seeds"), DESIGNS)
def test_designs_estimate_the_share_of_the_mask_with_the_published_precision(
    configurations: int, seeds: int
) -> None:
    shares = estimated_shares(configurations, seeds, 20_000, rng())
    found = (*np.quantile(shares, [0.1, 0.9]), np.mean(np.abs(shares - 4 / 9) <= 0.15))
    assert found == pytest.approx(PUBLISHED[configurations, seeds], abs=0.015)


def test_more_configurations_do_not_help_if_they_share_the_init_effects() -> None:
    own, common = (estimated_shares(8, 5, 20_000, rng(), flag) for flag in (True, False))
    within = [np.mean(np.abs(shares - 4 / 9) <= 0.15) for shares in (own, common)]
    assert within == pytest.approx([0.93, 0.67], abs=0.015)


@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_a_thousand_runs_give_precise_components(missing: float) -> None:
    found = variance_components(simulated(22, ALL_KINDS, rng(), missing), rng(), draws=100)
    assert found.runs + len(found.missing) == 990
    assert (found.runs < 990) == (missing > 0)
    for name in ("mask", "mask:init", "mask:data", "residual"):
        assert found[name].estimate == pytest.approx(ALL_KINDS[name], rel=0.35)


def test_a_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_coverage("one", coverage(1, ALL_KINDS, 3, rng()))
    rows = capsys.readouterr().out.splitlines()
    assert rows[5].startswith("| mask | 1.00 | ")
    assert len({row.count("|") for row in rows[3:]}) == 1
