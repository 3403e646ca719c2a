"""The wall time of a study, for costs that are known."""

from dataclasses import replace

import numpy as np
import pytest

from study.engine.comparison.finalists import REPORTS
from study.engine.estimate import duration as module
from study.engine.estimate.calibration import Calibration, Point, choose
from study.engine.estimate.duration import DRIFT, END, INTERVAL, RAY, REPORT, duration
from study.models import empty_backbone
from study.models.info import inspect_backbone
from study.spec import load_spec
from study.spec.schema import StudySpec
from study.training.forecast import Forecast, forecast
from study.training.timing import Timing

COST = Timing(setup=1.0, step=0.5, dev=2.0, test=4.0, memory=0.7)


def space(*overrides: str) -> StudySpec:
    return load_spec("smoke", ["finalists.candidates=0", *overrides])


def corners(spec: StudySpec) -> list[Forecast]:
    return forecast(spec, 320, empty_backbone(inspect_backbone("opt-dna-mini"), num_labels=2))


def calibration(spec: StudySpec, *costs: Timing) -> Calibration:
    first = corners(spec)[0]
    return Calibration([Point(first, cost) for cost in costs], start=10.0, processes=2)


def test_without_early_stopping_the_search_is_the_trials_in_turn() -> None:
    spec = space("scheduler.name=none", "search.trials=5", "scheduler.score=plain")
    one = duration(spec, calibration(spec, COST), concurrent=2, start=3.0)
    # 40 steps, 4 reports.
    trial = 1.0 + 40 * 0.5 + 4 * (2.0 + REPORT)
    assert one.parts == pytest.approx(
        {"start": 13.0 + RAY, "search": 3 * trial, "race": 0.0, "winner": 11.0 + END}
    )
    assert one.seconds == pytest.approx(sum(one.parts.values()))
    assert one.high - one.low == pytest.approx(2 * INTERVAL * DRIFT * one.seconds)


def test_reports_at_which_the_final_budget_is_scored_are_evaluated_twice() -> None:
    plain, at_bT = (
        duration(spec, calibration(spec, COST), concurrent=4, start=0.0).parts["search"]
        for score in ("plain", "at_bT")
        for spec in [space("scheduler.name=none", f"scheduler.score={score}")]
    )
    # T is step 30 of 40: the reports at steps 10 and 20.
    assert at_bT - plain == pytest.approx(2 * 2.0)


def test_the_evaluations_of_a_mask_probe_are_counted() -> None:
    settings = ("scheduler.name=none", "search.trials=1")
    plain, probed = (
        duration(spec, calibration(spec, COST), concurrent=1, start=0.0).parts["search"]
        for spec in (space(*settings), space(*settings, "mask_probe.masks=4"))
    )
    # The first, the middle and the last event; each one evaluation, and two for each mask.
    assert probed - plain == pytest.approx(3 * 9 * 2.0)


def test_an_audit_costs_the_rest_of_the_stopped_trials() -> None:
    spec = space("search.trials=16", "scheduler.audit=0.5")
    one = duration(spec, calibration(spec, COST), concurrent=2, start=0.0)
    # Half of the trials are expected to stop at the first of four reports, half of these run on.
    assert one.parts["audit"] == pytest.approx(10.0 + 2 * 3 * (10 * 0.5 + 2.0 + REPORT))
    assert "audit" not in duration(space(), calibration(space(), COST), 1, 0.0).parts


def test_early_stopping_saves_time_and_widens_the_interval() -> None:
    more = ("search.trials=64", "scheduler.score=plain")
    spec = space(*more)
    whole = duration(
        space(*more, "scheduler.name=none"), calibration(spec, COST), concurrent=2, start=0.0
    )
    saved = duration(spec, calibration(spec, COST), concurrent=2, start=0.0)
    # A quarter of the steps is the least; half of the trials stop there.
    assert 0.3 * whole.seconds < saved.seconds < 0.75 * whole.seconds
    assert (saved.high - saved.low) / saved.seconds > (whole.high - whole.low) / whole.seconds


def test_the_rule_that_stops_trials_is_that_of_ray() -> None:
    scores = np.random.default_rng(0).normal(size=60)
    for factor in (2.0, 3.0, 4.0):
        recorded: list[float] = []
        for place, score in enumerate(scores):
            earlier = scores[:place]
            expected = place == 0 or score >= np.nanpercentile(earlier, (1 - 1 / factor) * 100)
            assert module._continues(recorded, score, factor) == expected
        assert recorded == sorted(scores)


def test_trials_cost_what_lies_between_the_corners() -> None:
    spec = space("scheduler.name=none", "search.trials=400", "scheduler.score=plain")
    dear = replace(COST, step=1.5)
    between = duration(spec, calibration(spec, COST, dear), concurrent=1, start=0.0)
    low = 400 * (1.0 + 20.0 + 4 * (2.0 + REPORT))
    assert between.parts["search"] == pytest.approx(low + 400 * 20.0, rel=0.05)


def test_the_race_has_its_rounds_and_new_workers() -> None:
    spec = load_spec("smoke", ["search.trials=16", "finalists.candidates=4"])
    spec = spec.model_copy(update={"finalists": spec.finalists.model_copy(update={"confirm": 3})})
    race = duration(spec, calibration(spec, COST), concurrent=2, start=0.0).parts["race"]
    run = 1.0 + 20.0 + 2.0 + REPORTS * REPORT
    # Rounds of 4 x 1 and 2 x 1 runs, then 3 confirming ones, two at once.
    assert race == pytest.approx(10.0 + 3 * run + 2 * (run + 4.0))


def test_thousands_of_trials_are_simulated_quickly() -> None:
    spec = space("search.trials=5000", "scheduler.score=plain")
    assert duration(spec, calibration(spec, COST), concurrent=64, start=0.0).seconds > 0


def test_the_corners_with_least_and_most_work_are_timed() -> None:
    spec = load_spec("smoke", ["training.batch_size={type: categorical, choices: [4, 8, 16]}",
                               "training.steps=null", "training.epochs=2"])  # fmt: skip
    chosen = choose(corners(spec))
    assert len(chosen) == 3
    sizes = [(point.spec.training.batch_size, point.spec.adapter.b0) for point in chosen]
    assert sizes[-1][1] == 10
    assert sizes[0][1] == 6
    fixed = load_spec("smoke", ["adapter.b0=8", "adapter.bT=4", "training.lr=1e-3", "adapter.p=0"])
    assert len(choose(corners(fixed))) == 1
