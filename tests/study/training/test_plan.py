"""Steps, reports, learning rates and mask events of a plan."""

import pytest

from study.training.plan import make_plan
from study.training.steps import delta_steps
from tests.study.training.tiny_trials import tiny_spec, tiny_trial

# The paper's data sets at batch 8 and 5 epochs:
# training rows, final fraction, deltaT -> steps an epoch, T_total, T, events before T
PAPER = {
    "H3": (11_971, 0.25, 100, 1_497, 7_485, 5_614, 56),
    "H3K4me3": (29_439, 0.25, 100, 3_680, 18_400, 13_800, 137),
    "H3K36me3": (27_904, 0.3, 100, 3_488, 17_440, 12_208, 122),
    "H4": (11_679, 0.3, 100, 1_460, 7_300, 5_110, 51),
    "prom_all": (47_356, 0.15, 5_000, 5_920, 29_600, 25_160, 5),
    "prom_notata": (42_452, 0.15, 5_000, 5_307, 26_535, 22_555, 4),
    "prom_tata": (4_904, 0.15, 5_000, 613, 3_065, 2_605, 0),
}


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_s_schedules(name: str) -> None:
    rows, final_fraction, deltaT, per_epoch, total, T, before = PAPER[name]
    spec = tiny_spec(
        final_fraction=final_fraction,
        deltaT=deltaT,
        b0=8,
        bT=6,
        batch_size=8,
        steps=None,
        epochs=5,
    )
    plan = make_plan(spec, rows, matrices=72)
    assert (plan.steps_per_epoch, plan.total_steps) == (per_epoch, total)
    assert plan.budget is not None
    assert plan.budget.T == T
    events = plan.budget.events()
    assert len(events) == before + 1
    assert events[-1] == (T, 72 * 6)


def test_reports_are_evenly_spaced_and_end_with_the_training() -> None:
    assert make_plan(tiny_spec(steps=10, reports=4), 22, 12).report_steps == (3, 5, 8, 10)


def test_no_more_reports_than_steps() -> None:
    spec = tiny_spec("lora", steps=None, epochs=1, batch_size=8, reports=10)
    assert make_plan(spec, 22, 12).report_steps == (1, 2, 3)


def test_an_epoch_of_accumulated_batches_takes_every_row_once() -> None:
    spec = tiny_spec("lora", steps=None, epochs=3, batch_size=4, accumulation=2)
    plan = make_plan(spec, 22, 12)
    assert (plan.steps_per_epoch, plan.total_steps) == (3, 9)


def test_a_mask_interval_below_one_is_a_fraction_of_its_end() -> None:
    assert [delta_steps(d, 90) for d in (7, 1, 0.1, 0.001)] == [7, 1, 9, 1]


def test_the_learning_rate_rises_over_the_warm_up_and_falls_to_the_end() -> None:
    plan = make_plan(tiny_spec(steps=10, warmup_ratio=0.4), 22, 12)
    factors = [plan.learning_rate_factor(step) for step in range(1, 12)]
    rise, fall = [0.25, 0.5, 0.75, 1], [6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7, 0]
    assert factors == pytest.approx([*rise, *fall])


def test_without_warm_up_the_learning_rate_only_falls() -> None:
    plan = make_plan(tiny_spec(steps=4, warmup_ratio=0.0, reports=1, deltaT=1), 22, 12)
    factors = [plan.learning_rate_factor(step) for step in range(1, 5)]
    assert factors == pytest.approx([4 / 5, 3 / 5, 2 / 5, 1 / 5])


def test_the_optimizer_uses_the_planned_rates_and_that_of_the_head() -> None:
    trial = tiny_trial(lr=1e-3, head_lr=5e-2, warmup_ratio=0.25)
    rates = []
    for step in range(1, 13):
        trial.train_until(step)
        rates.append([group["lr"] for group in trial.optimizer.param_groups])
    factors = [trial.plan.learning_rate_factor(step) for step in range(1, 13)]
    head = {id(p) for p in trial.prepared.head.values()}
    for place, group in enumerate(trial.optimizer.param_groups):
        full = 5e-2 if all(id(p) in head for p in group["params"]) else 1e-3
        assert [row[place] for row in rates] == pytest.approx([full * f for f in factors])


def test_biases_and_norms_do_not_decay() -> None:
    trial = tiny_trial("fmft", weight_decay=0.1)
    for group in trial.optimizer.param_groups:
        ndims = {p.ndim for p in group["params"]}
        assert group["weight_decay"] == (0.0 if ndims == {1} else 0.1)
        assert len(ndims) == 1


def test_without_a_final_phase_the_last_mask_event_is_the_last_step() -> None:
    trial = tiny_trial(final_fraction=0.0)
    trial.train_until(12)
    assert trial.allocator is not None
    assert [event["t"] for event in trial.allocator.trace()] == [2, 4, 6, 8, 10, 12]
    assert trial.allocator.trace()[-1]["budget"] == 2 * 12
