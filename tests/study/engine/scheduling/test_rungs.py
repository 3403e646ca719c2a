"""Spaces with a rung before the first mask event are refused with the smallest valid fraction."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.engine.scheduling.rungs import check_first_rung, smallest_grace
from study.errors import InputError
from study.spec import StudySpec, load_spec
from study.spec.rungs import first_rung
from study.tasks.published.catalogue import PUBLISHED
from study.training.plan import make_plan
from study.training.steps import check_schedules

ROWS = 3000
SPACES = sorted((Path(__file__).parents[3] / "search_spaces").glob("*.yaml"))


def space(method: str = "adalora_rs", **changes: Any) -> StudySpec:
    """160 steps in 8 reports, T = 120, an event every 50 steps, the first rung at report 2."""
    adapter: dict[str, Any] = {"method": method}
    adapter |= {"deltaT": 50} if method == "adalora_rs" else {}
    values: dict[str, Any] = {
        "adapter": adapter,
        "training": {"steps": 160, "reports": 8},
        "scheduler": {"grace_fraction": 0.25},
    }
    for name, value in changes.items():
        section = next(s for s in values if hasattr(getattr(StudySpec(), s), name))
        values[section][name] = value
    return StudySpec.model_validate(values)


def test_a_rung_before_the_first_mask_event_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        check_first_rung(space(), ROWS)
    assert str(refused.value) == (
        "scheduler.grace_fraction: the first rung must not precede a trial's first mask event, "
        "but got the first event at step 50 and the first rung at step 40 (report 2 of 8) with "
        "deltaT = 50 of 160 steps, warmup_steps = 0 and batch_size = 8; raise grace_fraction to "
        "0.37, the smallest valid value for this space, or lower deltaT"
    )


def test_the_named_grace_fraction_is_the_smallest_valid_one() -> None:
    check_first_rung(space(grace_fraction=0.37), ROWS)
    assert first_rung(space(grace_fraction=0.37)) == 3
    with pytest.raises(InputError):
        check_first_rung(space(grace_fraction=0.25), ROWS)


@pytest.mark.parametrize(
    "changes",
    [
        {"deltaT": 40},  # the event and the rung at the same step: the event comes first
        {"name": "none"},
        {"grace_fraction": 1.0},  # no rung is left
        {"method": "lora"},
        {"method": "fmft"},
    ],
)
def test_spaces_without_an_early_rung_are_accepted(changes: dict[str, Any]) -> None:
    check_first_rung(space(**changes), ROWS)


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        ({"deltaT": {"type": "float", "low": 0.1, "high": 0.5}}, 60),
        ({"deltaT": {"type": "categorical", "choices": [10, 41, 20]}}, 41),
        ({"deltaT": 20, "warmup_steps": {"type": "int", "low": 0, "high": 40}}, 60),
        # The ends, 30 and 50, have their first event at 60 and 50; 39 has it at 78.
        ({"deltaT": {"type": "int", "low": 30, "high": 50}, "warmup_steps": 40}, 80),
        ({"deltaT": {"type": "float", "low": 0.25, "high": 0.4}, "warmup_steps": 40}, 80),
    ],
)
def test_the_latest_first_mask_event_of_a_space_is_compared_with_the_rung(
    changes: dict[str, Any], event: int
) -> None:
    with pytest.raises(InputError, match=f"first event at step {event} and the first rung"):
        check_first_rung(space(**changes), ROWS)


def test_the_batch_size_matters_if_training_is_measured_in_epochs() -> None:
    sizes = {"type": "categorical", "choices": [8, 32]}
    check_first_rung(space(steps=None, epochs=1, batch_size=8), ROWS)
    with pytest.raises(InputError, match="batch_size = 32"):
        check_first_rung(space(steps=None, epochs=1, batch_size=sizes), ROWS)


@given(
    deltaT=st.integers(1, 89),
    warmup=st.integers(0, 89),
    steps=st.integers(120, 400),
    reports=st.integers(1, 20),
    grace=st.floats(0.01, 1.0),
)
def test_a_fixed_space_is_refused_exactly_if_its_rung_precedes_the_mask_event(
    deltaT: int, warmup: int, steps: int, reports: int, grace: float
) -> None:
    spec = space(
        deltaT=deltaT, warmup_steps=warmup, steps=steps, reports=reports, grace_fraction=grace
    )
    plan = make_plan(spec, ROWS, matrices=1)
    assert plan.budget is not None
    event, rung = plan.budget.events()[0][0], first_rung(spec)
    refused = rung < reports and plan.report_steps[rung - 1] < event
    if event >= plan.budget.T:
        return  # check_schedules refuses it before.
    if not refused:
        check_first_rung(spec, ROWS)
        return
    with pytest.raises(InputError) as caught:
        check_first_rung(spec, ROWS)
    fix = float(str(caught.value).split("raise grace_fraction to ")[1].split(",")[0])
    fixed = space(
        deltaT=deltaT, warmup_steps=warmup, steps=steps, reports=reports, grace_fraction=fix
    )
    check_first_rung(fixed, ROWS)
    first = first_rung(fixed)
    assert plan.report_steps[first - 1] >= event > plan.report_steps[first - 2]


@given(reports=st.integers(1, 300), data=st.data())
def test_the_smallest_grace_fraction_gives_the_requested_rung(
    reports: int, data: st.DataObject
) -> None:
    rung = data.draw(st.integers(1, reports))
    spec = space("lora", steps=300, reports=reports, grace_fraction=smallest_grace(rung, reports))
    assert first_rung(spec) == rung


def test_rounding_errors_of_a_decimal_fraction_do_not_move_the_rung() -> None:
    assert 0.07 * 100 > 7
    assert first_rung(space("lora", reports=100, grace_fraction=0.07)) == 7


@pytest.mark.parametrize("file", SPACES, ids=lambda file: file.stem)
def test_the_shipped_spaces_have_no_rung_before_a_mask_event(file: Path) -> None:
    spec = load_spec(str(file), [])
    name = str(spec.task.name)
    rows = PUBLISHED[name].rows["train"] if name in PUBLISHED else spec.task.train
    check_schedules(spec, rows)
    check_first_rung(spec, rows)
