"""Forecasts of a space, and the checks of its schedules."""

import pytest

from study.errors import InputError
from study.training.forecast import adapted_matrices, forecast
from study.training.steps import check_schedules
from tests.study.training.tiny_trials import FAMILIES, tiny_backbone, tiny_spec, tiny_trial


def _epochs(**changes):
    return tiny_spec(**{"steps": None, "epochs": 5, "batch_size": 8, "b0": 8, "bT": 6} | changes)


def test_the_paper_s_row_for_prom_tata_is_refused() -> None:
    spec = _epochs(deltaT=5000, final_fraction=0.15)
    with pytest.raises(InputError) as caught:
        check_schedules(spec, 4_904)
    message = str(caught.value)
    assert message.startswith("adapter.deltaT: a mask event must come before T = 2605 (of 3065")
    assert "deltaT = 5000" in message
    assert "but got the first at step 5000" in message
    assert "\n" not in message


def test_the_paper_s_row_for_prom_all_is_accepted() -> None:
    check_schedules(_epochs(deltaT=5000, final_fraction=0.15), 47_356)


def test_a_budget_warm_up_without_a_later_event_is_refused() -> None:
    check_schedules(_epochs(deltaT=60, warmup_steps=59), 200)  # T = 94
    with pytest.raises(InputError, match="step 120 with deltaT = 60 and warmup_steps = 70"):
        check_schedules(_epochs(deltaT=60, warmup_steps=70), 200)


def test_the_values_between_the_ends_are_checked_too() -> None:
    searched = {"type": "int", "low": 40, "high": 93}
    check_schedules(_epochs(deltaT=searched), 200)
    # 40 meets T = 94 at step 80, 93 at step 93; 60 and more in between would be at 120.
    with pytest.raises(InputError, match="with deltaT = 47 and warmup_steps = 50"):
        check_schedules(_epochs(deltaT=searched, warmup_steps=50), 200)


@pytest.mark.parametrize(
    "searched",
    [
        {"deltaT": {"type": "categorical", "choices": [10, 5000, 20]}},
        {"deltaT": {"type": "int", "low": 10, "high": 5000}},
        {"deltaT": 60, "batch_size": {"type": "categorical", "choices": [8, 64, 16]}},
        {"deltaT": 60, "final_fraction": {"type": "float", "low": 0.1, "high": 0.9}},
    ],
)
def test_every_end_and_choice_of_a_space_is_checked(searched) -> None:
    with pytest.raises(InputError, match=r"adapter\.deltaT"):
        check_schedules(_epochs(**{"deltaT": 10} | searched), 200)


@pytest.mark.parametrize("method", ["lora", "fmft", "linear_probe"])
def test_methods_without_a_budget_have_no_schedule_to_check(method: str) -> None:
    check_schedules(tiny_spec(method, steps=None, epochs=1), 12)


def test_the_forecast_of_a_space_without_domains_is_that_of_the_trial() -> None:
    spec = tiny_spec()
    (point,) = forecast(spec, 22, tiny_backbone(device="meta"))
    trial = tiny_trial()
    facts = trial.facts()
    assert point.params == {}
    assert point.plan == trial.plan
    assert point.parameters.adapter == facts["adapter_parameters"]
    assert point.parameters.head == facts["head_parameters"]
    assert point.parameters.total == facts["trainable_parameters"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["lora", "fmft", "linear_probe"])
def test_forecast_counts_equal_those_of_the_trial(family: str, method: str) -> None:
    (point,) = forecast(tiny_spec(method), 22, tiny_backbone(family, device="meta"))
    facts = tiny_trial(method, on=tiny_backbone(family)).facts()
    assert point.parameters.total == facts["trainable_parameters"]
    assert adapted_matrices(point.spec, tiny_backbone(family)) == (12 if method == "lora" else 0)


def test_corners_with_the_same_plan_are_listed_once() -> None:
    spec = tiny_spec(
        b0={"type": "int", "low": 4, "high": 8}, p={"type": "float", "low": 0.0, "high": 0.5}
    )
    points = forecast(spec, 22, tiny_backbone(device="meta"))
    assert [point.plan.budget.b0 for point in points] == [4, 8, 6]
