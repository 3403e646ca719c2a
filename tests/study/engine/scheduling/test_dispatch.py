"""Suggested trials: how many at once, repeated after crashes, and when a study is given up."""

from typing import Any

import pytest
from ray.tune.search import Searcher

from study.engine import cluster
from study.engine.cluster import ClusterCapacity
from study.engine.resources import Resources
from study.engine.scheduling.dispatch import GIVE_UP_AFTER
from study.engine.scheduling.search import OptunaSearcher
from study.storage.events import TrialCrashed
from tests.study.ledgers import OpenLedger, create, report


def planner(resolved: Any) -> tuple[int, int]:
    return resolved.training.steps, resolved.training.reports


def number(suggestion: Any) -> int:
    assert isinstance(suggestion, dict)
    return int(suggestion["trial"])


def test_no_more_trials_are_suggested_than_fit_into_the_cluster(open_ledger: OpenLedger) -> None:
    room = [1]
    searcher = OptunaSearcher(open_ledger(), planner, lambda: room[0])
    assert number(searcher.suggest("a")) == 0
    assert searcher.suggest("b") is None
    assert len(searcher.ledger.record.trials) == 1, "a trial is made when it can run"
    room[0] = 2
    assert number(searcher.suggest("b")) == 1
    searcher.ledger.end(searcher.ledger.record.trials[0], "failed", "diverged")
    searcher.on_trial_complete("a", {})
    assert number(searcher.suggest("c")) == 2


def test_the_capacity_follows_the_size_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, clock = [{"CPU": 2.0, "GPU": 1.0}], [0.0]
    monkeypatch.setattr(cluster, "alive", lambda: nodes)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    clock[0] = 100.0
    half = Resources(cpus=1, gpus=0.5, concurrent=2)
    room, few = ClusterCapacity([(half, None)]), ClusterCapacity([(half, 3)])
    assert (room(), few()) == (2, 2)
    nodes.append({"CPU": 8.0, "GPU": 1.0})
    assert (room(), few()) == (2, 2), "the cluster is not asked at every suggestion"
    clock[0] += cluster.REFRESH_SECONDS
    assert (room(), few()) == (4, 3)
    nodes.clear()
    clock[0] += cluster.REFRESH_SECONDS
    assert room() == 1, "the next trial waits for a node"
    one_gpu = Resources(cpus=1, gpus=1.0, concurrent=1)
    nodes.append({"CPU": 8.0, "GPU": 2.0})
    assert ClusterCapacity([(half, None), (one_gpu, None)])() == 4


def test_a_crashed_trial_is_suggested_again_with_its_number(open_ledger: OpenLedger) -> None:
    searcher = OptunaSearcher(open_ledger("search.trials=2"), planner)
    first = searcher.suggest("a")
    assert number(searcher.suggest("b")) == 1
    searcher.on_trial_complete("a", None, error=True)
    again = searcher.suggest("c")
    assert isinstance(first, dict)
    assert isinstance(again, dict)
    assert (again["trial"], again["params"]) == (0, first["params"])


def test_the_search_does_not_finish_while_the_last_trials_may_crash(
    open_ledger: OpenLedger,
) -> None:
    searcher = OptunaSearcher(open_ledger("search.trials=1"), planner)
    searcher.suggest("a")
    assert searcher.suggest("b") is None
    searcher.on_trial_complete("a", None, error=True)
    assert number(searcher.suggest("c")) == 0
    searcher.ledger.end(searcher.ledger.record.trials[0], "failed", "diverged")
    searcher.on_trial_complete("c", {})
    assert searcher.suggest("d") == Searcher.FINISHED


def test_a_trial_that_has_crashed_too_often_fails_in_optuna_and_is_not_repeated(
    open_ledger: OpenLedger,
) -> None:
    searcher = OptunaSearcher(open_ledger(), planner)
    searcher.suggest("a")
    searcher.ledger.end(searcher.ledger.record.trials[0], "failed", "crashed 3 times")
    searcher.on_trial_complete("a", None, error=True)
    assert searcher._study.trials[0].state.name == "FAIL"
    assert number(searcher.suggest("b")) == 1


def crash(searcher: OptunaSearcher, name: str, *, fault: bool) -> None:
    trial = searcher.ledger.record.trials[searcher._numbers[name]]
    searcher.ledger.append(
        TrialCrashed(trial=trial.number, attempt=trial.crashes + 1, fault=fault, reason="why")
    )
    searcher.on_trial_complete(name, None, error=True)


def test_a_study_in_which_every_trial_crashes_is_given_up_without_running_trials(
    open_ledger: OpenLedger,
) -> None:
    searcher = OptunaSearcher(open_ledger(), planner)
    for index in range(GIVE_UP_AFTER + 1):
        searcher.suggest(f"ray-{index}")
    for index in range(GIVE_UP_AFTER + 1):
        crash(searcher, f"ray-{index}", fault=True)
    assert searcher.suggest("ray-last") == Searcher.FINISHED
    assert "all crashed" in searcher.gave_up
    assert not searcher.ledger.record.in_state("running")


def test_killed_worker_processes_do_not_end_the_study(open_ledger: OpenLedger) -> None:
    searcher = OptunaSearcher(open_ledger(), planner)
    for index in range(GIVE_UP_AFTER + 1):
        searcher.suggest(f"ray-{index}")
    for index in range(GIVE_UP_AFTER + 1):
        crash(searcher, f"ray-{index}", fault=False)
    assert searcher.gave_up == ""
    assert number(searcher.suggest("again")) == 0


def test_a_resumed_study_in_which_every_trial_crashes_is_given_up_and_keeps_its_trials(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    report(ledger, 0, 1, 0.5)
    ledger.end(ledger.record.trials[0], "complete", "")
    searcher = OptunaSearcher(open_ledger(), planner)
    for index in range(GIVE_UP_AFTER):
        searcher.suggest(f"ray-{index}")
    for index in range(GIVE_UP_AFTER):
        crash(searcher, f"ray-{index}", fault=True)
    assert searcher.suggest("ray-last") == Searcher.FINISHED
    assert "all crashed" in searcher.gave_up
    assert len(searcher.ledger.record.in_state("running")) == GIVE_UP_AFTER
    again = OptunaSearcher(open_ledger(), planner)
    assert number(again.suggest("ray-later")) == 1


def test_a_study_that_was_given_up_can_be_resumed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for index in range(GIVE_UP_AFTER):
        create(ledger, index)
        ledger.end(ledger.record.trials[index], "failed", "crashed")
    searcher = OptunaSearcher(open_ledger(), planner)
    assert number(searcher.suggest("ray-0")) == GIVE_UP_AFTER


def test_crashes_do_not_end_a_study_in_which_a_trial_has_reported(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    searcher = OptunaSearcher(ledger, planner)
    searcher.suggest("ray-works")
    report(ledger, 0, 1, 0.5)
    for index in range(GIVE_UP_AFTER):
        searcher.suggest(f"ray-{index}")
        crash(searcher, f"ray-{index}", fault=True)
    assert isinstance(searcher.suggest("ray-last"), dict)
