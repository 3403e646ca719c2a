"""The hierarchical model over tasks: against a slow sampler, its limits, and its calibration."""

import numpy as np
import pytest

from study.analysis.comparison.scores.hierarchy import (
    Belief,
    Cells,
    common_pairs,
    over_tasks,
)

ROPE = 0.01


def believed(
    d: list[float], s: list[float], sign: int = 1, seed: int = 0
) -> tuple[Belief, list[Belief]]:
    return over_tasks(cells(np.array(d), np.array(s)), ROPE, sign, np.random.default_rng(seed))


def cells(d: np.ndarray, s: np.ndarray, groups: list[str] | None = None, tau: float = 0) -> Cells:
    """Comparisons with many pairs of runs, each of a group of its own."""
    names = groups or [str(n) for n in range(len(d))]
    return Cells(d, s, np.full(len(d), 10**6), np.full(len(d), tau), names)


def sampled(d: np.ndarray, s: np.ndarray, draws: int = 60_000) -> np.ndarray:
    """Draws of mu by importance: omega from its prior, weighted by the likelihood of d."""
    rng = np.random.default_rng(1)
    scale = 2 * max(d.std(), np.median(s))
    omega = scale * np.abs(rng.standard_cauchy(draws))
    total = omega[:, None] ** 2 + s**2
    variance = 1 / (1 / total).sum(axis=1)
    centre = variance * (d / total).sum(axis=1)
    logs = -0.5 * (np.log(total) + (d - centre[:, None]) ** 2 / total).sum(axis=1)
    logs += 0.5 * np.log(variance)
    chosen = rng.choice(
        draws, 40_000, p=np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    )
    return centre[chosen] + np.sqrt(variance[chosen]) * rng.normal(size=len(chosen))


def test_the_mean_over_tasks_is_that_of_a_slow_sampler() -> None:
    d, s = np.array([0.03, 0.01, 0.04, -0.01, 0.02]), np.array([0.01, 0.02, 0.01, 0.015, 0.005])
    slow, (found, _) = sampled(d, s), believed(list(d), list(s))
    assert found.mean == pytest.approx(slow.mean(), abs=0.0005)
    assert (found.low, found.high) == pytest.approx(
        tuple(np.quantile(slow, [0.025, 0.975])), abs=0.003
    )
    assert found.better == pytest.approx((slow > ROPE).mean(), abs=0.02)
    assert found.better + found.equal + found.worse == pytest.approx(1)


def test_a_task_with_a_large_error_is_drawn_towards_the_others() -> None:
    _, tasks = believed([0.02, 0.021, 0.019, 0.1], [0.002, 0.002, 0.002, 0.05])
    assert 0.015 < tasks[3].mean < 0.05
    assert tasks[0].mean == pytest.approx(0.02, abs=0.001)


def test_of_losses_the_lower_one_is_better() -> None:
    up, _ = believed([0.05, 0.06, 0.04], [0.005, 0.005, 0.005])
    down, _ = believed([-0.05, -0.06, -0.04], [0.005, 0.005, 0.005], sign=-1)
    assert up.better == pytest.approx(down.better, abs=1e-9)
    assert down.mean == pytest.approx(-up.mean)


def test_equal_configurations_are_equal_with_many_tasks() -> None:
    found, _ = believed([0.0005, -0.001, 0.0, 0.001, -0.0005] * 3, [0.002] * 15)
    assert found.equal > 0.99


def test_its_interval_holds_and_its_probabilities_are_calibrated() -> None:
    rng, held, stated, true = np.random.default_rng(2), 0, [], []
    for _ in range(300):
        mu, omega = 0.02 * rng.normal(), 0.015
        s = 0.01 * np.exp(0.4 * rng.normal(size=10))
        d = mu + omega * rng.normal(size=10) + s * rng.normal(size=10)
        found, _ = over_tasks(cells(d, s), ROPE, 1, rng)
        held += found.low <= mu <= found.high
        stated.append(found.better)
        true.append(mu > ROPE)
    assert 0.92 <= held / 300 <= 0.985
    assert np.mean(stated) == pytest.approx(np.mean(true), abs=0.04)
    sure = np.array(stated) > 0.95
    assert np.mean(np.array(true)[sure]) > 0.93


def test_the_backbones_of_a_task_are_one_observation_of_it() -> None:
    d = np.array([0.05, 0.05, 0.05, 0.05, -0.02, 0.01])
    own = [f"task {group}" for group in (0, 0, 0, 0, 1, 2)]
    grouped, _ = over_tasks(cells(d, np.full(6, 0.002), own), ROPE, 1, np.random.default_rng(0))
    alone, _ = over_tasks(cells(d, np.full(6, 0.002)), ROPE, 1, np.random.default_rng(0))
    one_each, _ = believed([0.05, -0.02, 0.01], [0.001, 0.002, 0.002])
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    assert grouped.mean == pytest.approx(one_each.mean, abs=0.004)


def test_the_error_of_the_test_rows_is_common_to_a_group() -> None:
    d, own = np.full(6, 0.03), ["a"] * 3 + ["b"] * 3
    widths = [
        (found := over_tasks(cells(d, np.full(6, 0.002), own, tau), ROPE, 1, rng)[0]).high
        - found.low
        for tau, rng in ((0.0, np.random.default_rng(0)), (0.02, np.random.default_rng(0)))
    ]
    assert widths[1] > 0.02 > widths[0]


@pytest.mark.parametrize(("groups", "backbones", "pairs"), [(8, 4, 5), (6, 1, 3)])
def test_its_intervals_hold_with_few_pairs_and_shared_test_sets(
    groups: int, backbones: int, pairs: int
) -> None:
    rng, overall, own, studies = np.random.default_rng(3), 0, 0, 60
    names = [str(group) for group in range(groups) for _ in range(backbones)]
    for _ in range(studies):
        level = 0.02 * rng.normal(size=groups)
        rows = 0.01 * rng.normal(size=groups)
        true = np.repeat(level, backbones) + 0.01 * rng.normal(size=len(names))
        seen = true + np.repeat(rows, backbones)
        runs = seen[:, None] + 0.03 * rng.normal(size=(len(names), pairs))
        one = Cells(
            d=runs.mean(axis=1),
            s=runs.std(axis=1, ddof=1) / np.sqrt(pairs),
            freedom=np.full(len(names), pairs - 1),
            tau=np.full(len(names), 0.01),
            groups=names,
        )
        found, beliefs = over_tasks(one, ROPE, 1, rng)
        overall += found.low <= 0 <= found.high
        own += sum(b.low <= t <= b.high for b, t in zip(beliefs, true, strict=True))
    assert overall >= 0.9 * studies
    assert own >= 0.9 * studies * len(names)


def test_the_backbones_of_a_single_task_share_its_test_rows() -> None:
    rng, missed, studies = np.random.default_rng(4), 0, 100
    for _ in range(studies):
        d = 0.02 * rng.normal() + 0.005 * rng.normal(size=4)
        one = cells(d, np.full(4, 0.005), ["a"] * 4, tau=0.02)
        found, beliefs = over_tasks(one, 0.0, 1, rng)
        missed += not found.low <= 0 <= found.high
        assert all(belief.high - belief.low > 0.07 for belief in beliefs)
    assert missed <= 0.08 * studies


def test_only_pairs_of_all_tasks_are_compared() -> None:
    assert common_pairs([[("a", "b"), ("a", "c")], [("a", "c")]]) == [("a", "c")]
