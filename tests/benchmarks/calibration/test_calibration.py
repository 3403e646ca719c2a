"""The calibration gate with few data sets; `tox -e bench` has more."""

import pytest

from tests.benchmarks.calibration.benchmark_scenarios import benchmark_scenarios
from tests.benchmarks.calibration.drawn_test_sets import scenarios_of_drawn_test_sets
from tests.benchmarks.calibration.further_scenarios import further_scenarios
from tests.benchmarks.calibration.scenarios import (
    Rate,
    finite_test_set,
    quick_scenarios,
    scenarios,
)


def test_false_alarms_and_power_keep_their_bounds() -> None:
    rates = list(quick_scenarios(400))
    assert [rate.name for rate in rates if not rate.holds] == []
    assert len(rates) > 7


@pytest.mark.slow
def test_every_scenario_keeps_its_bounds() -> None:
    assert [rate.name for rate in scenarios(400) if not rate.holds] == []


@pytest.mark.slow
def test_drawn_splits_keep_their_bounds() -> None:
    assert [rate.name for rate in scenarios_of_drawn_test_sets(400) if not rate.holds] == []


def test_intervals_of_benchmarks_keep_their_bounds() -> None:
    assert [rate.name for rate in benchmark_scenarios(200) if not rate.holds] == []


@pytest.mark.slow
def test_what_stands_beside_a_verdict_keeps_its_bounds() -> None:
    assert [rate.name for rate in further_scenarios(500) if not rate.holds] == []


def test_a_small_test_set_causes_no_false_alarms() -> None:
    alarms, coverage = finite_test_set(300, 1.0, 6)
    assert alarms.holds
    assert coverage.found > 0.5


@pytest.mark.parametrize(
    ("found", "low", "high", "holds"),
    [
        (0.05, 0, 0.05, True),
        (0.11, 0, 0.05, False),
        (0.7, 0.8, 1, False),
        (0.94, 0.93, 0.97, True),
    ],
)
def test_a_rate_outside_its_bounds_fails(
    found: float, low: float, high: float, holds: bool
) -> None:
    assert Rate("x", found, 1000, low, high).holds is holds
