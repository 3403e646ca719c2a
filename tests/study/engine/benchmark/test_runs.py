"""Runs of a benchmark: order, seeds, unfinished runs, changes that a resume allows."""

from pathlib import Path

import pytest

from study.engine.benchmark.runs import BenchmarkRun, changes_of_benchmark, check_cell, runs_of
from study.errors import InputError
from study.storage.events import TrialCreated
from study.storage.ledger import Ledger
from study.storage.opening import check_folder
from study.storage.runs import key_of, latest_trials, unfinished_runs
from tests.study.engine.benchmark.bench import OpenLedger, ReadBenchmark, report


def create(ledger: Ledger, run: BenchmarkRun) -> int:
    number = len(ledger.record.trials)
    ledger.append(
        TrialCreated(
            trial=number,
            params=run.labels,
            settings=run.settings,
            seeds=run.spec.seeds.model_dump(),
            total_steps=8,
            reports=2,
            optuna={},
        )
    )
    return number


def test_baselines_come_first_and_all_methods_of_a_seed_before_the_next(
    read_benchmark: ReadBenchmark,
) -> None:
    assert [key_of(run) for run in runs_of(read_benchmark())] == [
        ("", "mine", "kmer", None),
        ("opt-dna-mini", "mine", "linear_probe", 0),
        ("opt-dna-mini", "mine", "adalora_rs", 0),
        ("opt-dna-mini", "mine", "linear_probe", 1),
        ("opt-dna-mini", "mine", "adalora_rs", 1),
    ]


def test_the_seed_of_a_run_seeds_all_three_streams(read_benchmark: ReadBenchmark) -> None:
    seeds = runs_of(read_benchmark())[-1].spec.seeds
    assert (seeds.init, seeds.data, seeds.mask) == (1, 1, 1)


def test_settings_are_those_that_affect_the_result(read_benchmark: ReadBenchmark) -> None:
    baseline, probe, rs, *_ = runs_of(read_benchmark())
    assert baseline.settings == {"task_name": "promoters", "dedup": "none"}
    assert (rs.settings["backbone_name"], rs.settings["weights"]) == ("opt-dna-mini", "pretrained")
    assert "b0" not in probe.settings
    assert (rs.settings["b0"], rs.settings["bT"], rs.settings["lr"]) == (2, 1, 3e-5)
    assert rs.settings["matrices"] == "q k v o f1 f2"


def test_unfinished_runs_are_those_that_have_not_ended_and_those_that_crashed(
    read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    runs, ledger = runs_of(read_benchmark()), open_bench()
    ends = [("complete", ""), ("failed", "crashed 3 times"), ("failed", "diverged: …"), None]
    for run, end in zip(runs, ends, strict=False):
        number = create(ledger, run)
        report(ledger, number, 1, 0.1)
        if end is not None:
            ledger.end(ledger.record.trials[number], *end)
    assert unfinished_runs(runs, ledger.record) == [runs[1], runs[3], runs[4]]


def test_class_weights_must_fit_every_task_and_are_text_in_the_table(
    read_benchmark: ReadBenchmark,
) -> None:
    run = runs_of(read_benchmark("training.class_weights=[1, 2.5, 1]"))[1]
    check_cell(run.cell, train_rows=32, classes=3)
    assert run.settings["class_weights"] == "1.0 2.5 1.0"
    message = (
        r"each of the 2 classes of mine, but got 3 .* \(of opt-dna-mini, mine, linear_probe\)"
    )
    with pytest.raises(InputError, match=message):
        check_cell(run.cell, train_rows=32, classes=2)


def test_the_state_of_a_run_is_that_of_its_latest_trial(
    read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    run, ledger = runs_of(read_benchmark())[1], open_bench()
    ledger.end(ledger.record.trials[create(ledger, run)], "failed", "crashed")
    again = create(open_bench(), run)
    reopened = open_bench()
    assert (again, latest_trials(reopened.record)[key_of(run)].number) == (1, 1)
    assert latest_trials(reopened.record)[key_of(run)].state == "running"


@pytest.mark.parametrize(
    "more",
    [
        "seeds=[0,1,2]",
        "methods=[lora,linear_probe,adalora_rs]",
        "baselines=[gc,kmer]",
        "resources.max_concurrent=1",
        "backbones=[opt-dna-mini,opt-125m]",
    ],
)
def test_a_benchmark_resumes_with_additional_runs(
    more: str, tmp_path: Path, read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    open_bench()
    changes = changes_of_benchmark(read_benchmark(more))
    check_folder(tmp_path / "runs" / "small", changes, resume=True)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ("seeds=[1,2]", r"seed 0 \(left out\)"),
        ("methods=[adalora_rs]", r"opt-dna-mini, mine, linear_probe \(left out\)"),
        ("training.lr=1e-3", r"opt-dna-mini, mine, linear_probe \(set otherwise\)"),
        ("task.train=33", r"mine, kmer \(set otherwise\); opt-dna-mini, mine, linear_probe"),
        ("baselines=[gc]", r"mine, kmer \(left out\)"),
    ],
)
def test_a_benchmark_is_not_resumed_with_fewer_runs_or_other_settings(
    other: str,
    difference: str,
    tmp_path: Path,
    read_benchmark: ReadBenchmark,
    open_bench: OpenLedger,
) -> None:
    open_bench()
    changes = changes_of_benchmark(read_benchmark(other))
    with pytest.raises(InputError, match=f"one that differs in: {difference}"):
        check_folder(tmp_path / "runs" / "small", changes, resume=True)
