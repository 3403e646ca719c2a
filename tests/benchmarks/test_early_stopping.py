"""The quality of a rung: Kendall's tau, which trials it stops, and intervals of both."""

from types import SimpleNamespace

import numpy as np
import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from scipy.stats import kendalltau

from tests.benchmarks.early_stopping import (
    kendall_tau,
    rung_quality,
    stopped,
    tau_gain,
    wrongly_stopped,
)

NOISE = (3.0, 0.5, 0.0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def curves(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """30 trials whose three scores predict the final one better and better; with ties."""
    final = rng.normal(size=30).round(1)
    return np.stack([final + noise * rng.normal(size=30) for noise in NOISE], axis=1), final


def test_tau_equals_scipys(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 6, size=(2, 20, 25)).astype(float)
    theirs = [kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert kendall_tau(a, b) == pytest.approx(theirs)


def test_tau_of_scores_that_are_all_equal_is_not_a_number(rng: np.random.Generator) -> None:
    assert np.isnan(kendall_tau(np.ones((1, 5)), rng.normal(size=(1, 5)))).all()


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.0])
def test_a_rung_stops_the_same_trials_as_rays_asha(
    rng: np.random.Generator, factor: float
) -> None:
    arriving = rng.normal(size=(10, 30)).round(1)
    theirs = []
    for row in arriving:
        asha = AsyncHyperBandScheduler("report", "score", "max", 9, 1, factor)
        stops = []
        for number, score in enumerate(row):
            trial = SimpleNamespace(trial_id=str(number))
            asha.on_trial_add(None, trial)
            action = asha.on_trial_result(None, trial, {"report": 1, "score": score})
            stops.append(action == TrialScheduler.STOP)
        theirs.append(stops)
    assert stopped(arriving, factor).tolist() == theirs


def test_of_ten_trials_only_the_best_by_final_score_counts() -> None:
    final = np.arange(10.0)[None]
    early = final.copy()
    assert wrongly_stopped(early, final, 2.0).tolist() == [0.0]
    early[0, 9] = -1.0
    assert wrongly_stopped(early, final, 2.0).tolist() == [1.0]
    early[0, 8] = -2.0
    assert wrongly_stopped(early[:, ::-1], final[:, ::-1], 2.0).tolist() == [0.0], "it came first"


def test_a_later_rung_is_better(
    curves: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    found = rung_quality(*curves, reduction_factor=2.0, rng=rng, resamples=40)
    assert [quality.report for quality in found] == [1, 2, 3]
    taus = [quality.tau.value for quality in found]
    assert taus == sorted(taus)
    assert taus[-1] == pytest.approx(1.0)
    wrong = [quality.wrongly_stopped.value for quality in found]
    assert wrong == sorted(wrong, reverse=True)
    for quality in found:
        for estimate in (quality.tau, quality.wrongly_stopped):
            assert estimate.low <= estimate.value <= estimate.high
    assert found[0].tau.high - found[0].tau.low > 0.2


def test_the_same_generator_gives_the_same_numbers(
    curves: tuple[np.ndarray, np.ndarray],
) -> None:
    first, second = (
        rung_quality(*curves, 2.0, np.random.default_rng(3), resamples=10) for _ in range(2)
    )
    assert first == second


def test_the_gain_of_a_score_is_paired(
    curves: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    scores, final = curves
    same = tau_gain(scores, scores, final, rng)
    assert [(gain.low, gain.value, gain.high) for gain in same] == [(0.0, 0.0, 0.0)] * 3
    better = tau_gain(scores[:, 1:2], scores[:, :1], final, rng)[0]
    assert 0 < better.low <= better.value <= better.high
