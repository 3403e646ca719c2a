"""The searcher and recorder of a benchmark, without Ray's loop."""

import pickle
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.tune.search import Searcher

from study.engine.benchmark.runs import runs_of
from study.engine.benchmark.scheduling import BenchmarkPlanner, BenchmarkSearcher
from study.engine.resources import Resources
from study.engine.scheduling.runs import RunRecorder
from study.storage.events import Report, TrialCrashed, TrialCreated
from study.storage.ledger import Ledger
from study.storage.runs import key_of
from tests.study.engine.benchmark.bench import OpenLedger, ReadBenchmark, report

Hand = Callable[[Ledger], BenchmarkSearcher]


@pytest.fixture
def searcher(read_benchmark: ReadBenchmark) -> Hand:
    runs = runs_of(read_benchmark())
    share = Resources(cpus=1, gpus=0.0, concurrent=2)

    def make(ledger: Ledger) -> BenchmarkSearcher:
        planner = BenchmarkPlanner({run.spec.task: 32 for run in runs})
        return BenchmarkSearcher(
            ledger, runs, runs[1:], planner, {key_of(run): share for run in runs}
        )

    return make


def action_of(recorder: RunRecorder, number: int, report: int, **metrics: Any) -> str:
    metrics = {"dev_mcc": 0.5, "train_loss": 0.1} | metrics
    result = {f"metrics/{name}": value for name, value in metrics.items()}
    trial: Any = SimpleNamespace(config={"trial": number})
    return recorder.on_trial_result(None, trial, {"report": report, "step": 4 * report, **result})


def test_runs_are_suggested_once_in_order(open_bench: OpenLedger, searcher: Hand) -> None:
    ledger = open_bench()
    handed = iter_configs(searcher(ledger))
    assert [config["run"] for config in handed] == [1, 2, 3, 4]
    assert [config["trial"] for config in handed] == [0, 1, 2, 3]
    assert handed[0]["params"]["method"] == "linear_probe"
    assert len(ledger.record.trials) == 4


def iter_configs(searcher: BenchmarkSearcher) -> list[dict[str, Any]]:
    found = []
    while isinstance(config := searcher.suggest(f"trial-{len(found)}"), dict):
        found.append(config)
        searcher.on_trial_complete(f"trial-{len(found) - 1}")
    assert config == Searcher.FINISHED
    return found


def test_an_interrupted_run_keeps_its_trial_number_and_a_crashed_run_gets_a_new_one(
    open_bench: OpenLedger, searcher: Hand
) -> None:
    ledger = open_bench()
    first = searcher(ledger)
    for place in range(2):
        first.suggest(f"trial-{place}")
    ledger.end(ledger.record.trials[1], "failed", "crashed 3 times")
    handed = iter_configs(searcher(open_bench()))
    assert [(config["run"], config["trial"]) for config in handed] == [
        (1, 0), (2, 2), (3, 3), (4, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("made_first", ["baseline", "searcher"])
def test_a_benchmark_is_given_up_if_all_trained_runs_crash_whenever_a_baseline_has_reported(
    made_first: str, open_bench: OpenLedger, searcher: Hand, read_benchmark: ReadBenchmark
) -> None:
    ledger = open_bench()
    if made_first == "baseline":
        baseline_reports(ledger, read_benchmark)
        handing = searcher(ledger)
    else:
        handing = searcher(ledger)
        baseline_reports(ledger, read_benchmark)
    for place in range(3):
        handing.suggest(f"trial-{place}")
        number = handing._numbers[f"trial-{place}"]
        ledger.append(TrialCrashed(trial=number, attempt=place + 1, fault=True, reason="a bug"))
        handing.on_trial_complete(f"trial-{place}", error=True)
    assert handing.suggest("trial-3") == Searcher.FINISHED
    assert handing.gave_up == "the first 3 attempts all crashed before their first report"


def baseline_reports(ledger: Ledger, read_benchmark: ReadBenchmark) -> None:
    """Journals a baseline with its one report."""
    baseline = runs_of(read_benchmark())[0]
    ledger.append(
        TrialCreated(
            trial=0,
            params=baseline.labels,
            settings={},
            seeds={},
            total_steps=1,
            reports=1,
            optuna={},
        )
    )
    report(ledger, 0, 1, 0.5)


def test_a_benchmark_in_which_a_trained_run_has_reported_continues_after_crashes(
    open_bench: OpenLedger, searcher: Hand
) -> None:
    ledger = open_bench()
    handing = searcher(ledger)
    handing.suggest("trial-0")
    report(ledger, handing._numbers["trial-0"], 1, 0.5)
    for place in range(1, 4):
        handing.suggest(f"trial-{place}")
        number = handing._numbers[f"trial-{place}"]
        ledger.append(TrialCrashed(trial=number, attempt=1, fault=True, reason="a bug"))
        handing.on_trial_complete(f"trial-{place}", error=True)
    assert handing.gave_up == ""


def test_a_run_is_complete_with_its_last_report_and_a_repeated_one_counts_once(
    open_bench: OpenLedger, searcher: Hand
) -> None:
    ledger = open_bench()
    searcher(ledger).suggest("trial-0")
    recorder = RunRecorder(ledger, 2)
    assert action_of(recorder, 0, 1) == "CONTINUE"
    assert action_of(recorder, 0, 1) == "CONTINUE"
    assert action_of(recorder, 0, 2, test_mcc=0.4) == "STOP"
    trial = ledger.record.trials[0]
    assert (trial.state, len(trial.reports), trial.metrics["test_mcc"]) == ("complete", 2, 0.4)


def test_a_run_whose_loss_is_not_finite_fails(open_bench: OpenLedger, searcher: Hand) -> None:
    ledger = open_bench()
    searcher(ledger).suggest("trial-0")
    assert action_of(RunRecorder(ledger, 2), 0, 1, train_loss=float("nan")) == "STOP"
    assert ledger.record.trials[0].state == "failed"
    assert "diverged" in ledger.record.trials[0].reason


def test_a_trial_with_its_last_report_but_no_end_is_ended_on_resume(
    open_bench: OpenLedger, searcher: Hand
) -> None:
    ledger = open_bench()
    searcher(ledger).suggest("trial-0")
    for index in (1, 2):
        metrics = {"dev_mcc": 0.5, "train_loss": 0.1}
        ledger.append(Report(trial=0, report=index, step=4 * index, metrics=metrics))
    reopened = open_bench()
    RunRecorder(reopened, 2)
    assert reopened.record.trials[0].state == "complete"


def test_searcher_and_recorder_can_be_pickled_with_listeners(
    open_bench: OpenLedger, searcher: Hand
) -> None:
    ledger = open_bench()
    lock = threading.RLock()
    ledger.listeners = [lambda event, record: lock.release()]
    handing, recorder = searcher(ledger), RunRecorder(ledger, 2)
    for thing in (handing, recorder):
        assert pickle.loads(ray.cloudpickle.dumps(thing)) is not None
