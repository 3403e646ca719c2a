"""ASHA by the index of reports: decisions, NaN, and rungs rebuilt on resume."""

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.rungs import final_budget_reports
from study.spec.rungs import first_rung, rungs
from study.storage.events import Decision, Verdict
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, ReadSpec, create, report


def result(index: int, value: float | None, train_loss: float = 0.5) -> dict[str, Any]:
    value = float("nan") if value is None else value
    return {
        "report": index,
        "step": 10 * index,
        "metrics/dev_mcc": value,
        "metrics/train_loss": train_loss,
        "dev_mcc": value,
        "training_iteration": 99,
    }


def ray_trial(number: int, name: str | None = None) -> Any:
    return SimpleNamespace(config={"trial": number}, trial_id=name or f"ray-{number}")


def start(ledger: StudyLedger, scheduler: AshaScheduler, number: int, reports: int = 4) -> None:
    create(ledger, number, reports=reports)
    scheduler.on_trial_add(None, ray_trial(number))


def test_decisions_equal_those_of_rays_asha(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ours = AshaScheduler(ledger)
    rays = AsyncHyperBandScheduler(
        time_attr="report",
        metric="dev_mcc",
        mode="max",
        max_t=4,
        grace_period=1,
        reduction_factor=2,
    )
    scores = {n: [((n * 37 + k * 11) % 17) / 17 for k in range(4)] for n in range(12)}
    for number, values in scores.items():
        start(ledger, ours, number)
        rays.on_trial_add(None, ray_trial(number))
        for index, value in enumerate(values, start=1):
            ours_action = ours.on_trial_result(None, ray_trial(number), result(index, value))
            rays_action = rays.on_trial_result(None, ray_trial(number), result(index, value))
            assert ours_action == rays_action, (number, index)
            if ours_action == TrialScheduler.STOP:
                break
    states = [trial.state for trial in ledger.record.trials.values()]
    assert states.count("pruned") >= 3
    assert states.count("complete") >= 2


def test_a_rung_stops_the_worse_trial_with_a_reason(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    for number, value in enumerate([0.9, 0.2]):
        start(ledger, scheduler, number)
        scheduler.on_trial_result(None, ray_trial(number), result(1, value))
    trial = ledger.record.trials[1]
    assert trial.state == "pruned"
    assert trial.reason == "below the rung at report 1: dev_mcc 0.2000 against 0.9000"
    assert trial.decisions[-1].decision == "stop"


def test_a_rung_between_two_reports_decides_at_the_later_one(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(
        "training.reports=10", "scheduler.reduction_factor=2.5", "scheduler.grace_fraction=0.3"
    )
    scheduler = AshaScheduler(ledger)
    for number, values in enumerate([[0.9] * 8, [0.95] * 7 + [0.1]]):
        start(ledger, scheduler, number, reports=10)
        for index, value in enumerate(values, start=1):
            scheduler.on_trial_result(None, ray_trial(number), result(index, value))
    assert ledger.record.trials[1].state == "pruned"
    reason = ledger.record.trials[1].reason
    assert reason == "below the rung at report 8: dev_mcc 0.1000 against 0.9000"


def test_rungs_can_compare_scores_at_the_final_budget(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("scheduler.score=at_bT")
    scheduler = AshaScheduler(ledger)
    for number, (plain, at_bT) in enumerate([(0.2, 0.9), (0.8, 0.1)]):
        start(ledger, scheduler, number)
        scores = result(1, plain) | {"metrics/dev_mcc_at_bT": at_bT}
        scheduler.on_trial_result(None, ray_trial(number), scores)
    trial = ledger.record.trials[1]
    assert trial.state == "pruned"
    assert trial.reason == "below the rung at report 1: dev_mcc_at_bT 0.1000 against 0.9000"
    assert AshaScheduler(ledger)._brackets[0]._rungs[-1][1] == {"0": 0.9, "1": 0.1}


def test_scores_at_the_final_budget_are_computed_at_rungs_only(read_spec: ReadSpec) -> None:
    assert final_budget_reports(read_spec()) == []
    assert final_budget_reports(read_spec("scheduler.score=at_bT")) == [1, 2]
    without = read_spec("scheduler.score=at_bT", "scheduler.name=none")
    assert final_budget_reports(without) == [1, 2, 3, 4]


def test_smaller_is_better_for_the_loss(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.metric=loss")
    scheduler = AshaScheduler(ledger)
    for number, value in enumerate([0.2, 0.9, 0.1]):
        start(ledger, scheduler, number)
        scores = result(1, value) | {"metrics/dev_loss": value, "dev_loss": value}
        scheduler.on_trial_result(None, ray_trial(number), scores)
    assert [t.state for t in ledger.record.trials.values()] == ["running", "pruned", "running"]


def test_a_trial_with_a_loss_above_the_cutoff_is_stopped(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.metric=loss")
    scheduler = AshaScheduler(ledger)
    for number, value in enumerate([0.5, 0.9]):
        start(ledger, scheduler, number)
        scores = result(1, value) | {"metrics/dev_loss": value, "dev_loss": value}
        scheduler.on_trial_result(None, ray_trial(number), scores)
    trial = ledger.record.trials[1]
    assert trial.reason == "above the rung at report 1: dev_loss 0.9000 against 0.5000"
    assert trial.decisions[-1].reason == trial.reason


def test_reaching_the_last_report_completes_the_trial(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    start(ledger, scheduler, 0)
    actions = [
        scheduler.on_trial_result(None, ray_trial(0), result(k, 0.1 * k)) for k in range(1, 5)
    ]
    assert actions == [TrialScheduler.CONTINUE] * 3 + [TrialScheduler.STOP]
    assert ledger.record.trials[0].state == "complete"


@pytest.mark.parametrize(("value", "loss"), [(None, 0.5), (0.5, float("nan"))])
def test_a_loss_that_is_not_finite_fails_the_trial_at_once(
    open_ledger: OpenLedger, value: float | None, loss: float
) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    start(ledger, scheduler, 0)
    action = scheduler.on_trial_result(None, ray_trial(0), result(1, value, loss))
    assert action == TrialScheduler.STOP
    assert ledger.record.trials[0].state == "failed"
    assert "is not finite" in ledger.record.trials[0].reason


def test_a_failed_trial_is_not_recorded_in_rungs(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    for number, value in enumerate([None, 0.1]):
        start(ledger, scheduler, number)
        scheduler.on_trial_result(None, ray_trial(number), result(1, value))
    assert ledger.record.trials[1].state == "running"


def test_without_a_scheduler_nothing_is_stopped(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("scheduler.name=none")
    scheduler = AshaScheduler(ledger)
    for number, value in enumerate([0.9, 0.1]):
        start(ledger, scheduler, number)
        for index in range(1, 4):
            action = scheduler.on_trial_result(None, ray_trial(number), result(index, value))
            assert action == TrialScheduler.CONTINUE


def test_a_repeated_report_is_recorded_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    start(ledger, scheduler, 0)
    for value in (0.5, 0.1):
        action = scheduler.on_trial_result(None, ray_trial(0), result(1, value))
        assert action == TrialScheduler.CONTINUE
    assert [r.metrics["dev_mcc"] for r in ledger.record.trials[0].reports] == [0.5]


def test_a_resumed_scheduler_has_the_same_rungs(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    before = AshaScheduler(ledger)
    for number, value in enumerate([0.9, 0.2, 0.95, 0.5]):
        start(ledger, before, number)
        before.on_trial_result(None, ray_trial(number), result(1, value))
    after = AshaScheduler(open_ledger())
    assert after._brackets[0]._rungs == before._brackets[0]._rungs
    assert after._brackets[0]._rungs[-1][1]


def test_a_resumed_trial_has_one_entry_in_a_rung_despite_a_new_ray_id(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    for number in range(2):
        start(ledger, scheduler, number)
        scheduler.on_trial_result(None, ray_trial(number), result(1, 0.5))
    resumed = AshaScheduler(open_ledger())
    again = ray_trial(1, "another id")
    resumed.on_trial_add(None, again)
    assert resumed.on_trial_result(None, again, result(1, 0.5)) == TrialScheduler.CONTINUE
    assert len(resumed._brackets[0]._rungs[-1][1]) == 2


def test_a_decision_missing_after_a_crash_is_made_on_resume(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for number, value in enumerate([0.9, 0.2]):
        create(ledger, number)
        report(ledger, number, 1, value)
    resumed = open_ledger()
    AshaScheduler(resumed)
    decisions = [t.decisions[-1].decision for t in resumed.record.trials.values()]
    assert decisions == ["continue", "stop"]
    assert resumed.record.trials[1].state == "pruned"


def test_an_end_missing_after_a_crash_is_journalled_on_resume(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    for index in (1, 2, 3, 4):
        report(ledger, 0, index, 0.5)
        verdict: Verdict = "continue" if index < 4 else "complete"
        ledger.append(Decision(trial=0, report=index, decision=verdict, reason="", cutoff=None))
    resumed = open_ledger()
    AshaScheduler(resumed)
    assert resumed.record.trials[0].state == "complete"


def test_rungs_are_computed_from_the_spec(read_spec: ReadSpec) -> None:
    spec = read_spec("training.reports=10", "scheduler.grace_fraction=0.3")
    assert (first_rung(spec), rungs(spec)) == (3, [3, 6])
    assert rungs(read_spec("scheduler.name=none")) == []


def test_computed_rungs_equal_those_of_rays_asha(open_ledger: OpenLedger) -> None:
    for reports, factor, grace in [(10, 2, 0.3), (8, 3, 0.3), (12, 2.5, 0.1), (4, 4, 0.25)]:
        ledger = open_ledger(
            f"training.reports={reports}",
            f"scheduler.reduction_factor={factor}",
            f"scheduler.grace_fraction={grace}",
        )
        scheduler = AshaScheduler(ledger)
        # Ray decides at the first report that reaches a rung, and never at the last report.
        reached = {-(-milestone // 1) for milestone, _ in scheduler._brackets[0]._rungs}
        assert rungs(ledger.spec) == sorted(r for r in reached if r < reports)
        for file in ledger.folder.path.glob("spec.yaml"):
            file.unlink()


def test_a_scheduler_can_be_pickled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    scheduler = AshaScheduler(ledger)
    start(ledger, scheduler, 0)
    scheduler.on_trial_result(None, ray_trial(0), result(1, 0.5))
    copy = pickle.loads(pickle.dumps(scheduler))
    assert copy._brackets[0]._rungs == scheduler._brackets[0]._rungs
