"""results.csv before any run has ended, and rebuilt from the journal."""

import csv

from study.engine.benchmark.results import rebuild_results, write_results
from study.engine.benchmark.runs import runs_of
from study.report import main
from study.storage.events import DataRead, Report, TrialCreated
from study.storage.stored import StoredStudy
from tests.study.engine.benchmark.bench import OpenLedger, ReadBenchmark, report


def test_planned_and_unavailable_runs_have_rows_with_all_columns(
    read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    ledger, runs = open_bench(), runs_of(read_benchmark())
    gone = {"opt-dna-mini": "no copy in the cache"}
    write_results(ledger.folder, runs, ledger.record, lambda run: gone.get(run.cell.backbone))
    rows = list(csv.DictReader(ledger.folder.results.read_text().splitlines()))
    assert [row["state"] for row in rows] == ["planned"] + ["unavailable"] * 4
    assert {row["reason"] for row in rows[1:]} == {"no copy in the cache"}
    assert {"test_mcc", "test_auc", "b0", "lr", "task_name"} <= set(rows[0])


def test_the_report_command_rebuilds_a_lost_results_csv_and_its_tables(
    read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    ledger, runs = open_bench(), runs_of(read_benchmark())
    ledger.append(DataRead(tasks=[], unavailable={runs[2].cell.named: "no copy in the cache"}))
    ledger.append(
        TrialCreated(
            trial=0,
            params=runs[1].labels,
            settings=runs[1].settings,
            seeds=runs[1].spec.seeds.model_dump(),
            total_steps=8,
            reports=2,
            optuna={},
        )
    )
    report(ledger, 0, 1, 0.25)
    metrics = {"dev_mcc": 0.5, "test_mcc": 0.4, "test_auc": 0.7, "train_loss": 0.5}
    ledger.append(Report(trial=0, report=2, step=8, metrics=metrics))
    ledger.end(ledger.record.trials[0], "complete", "")
    rebuild_results(StoredStudy.read(ledger.folder))
    rows = list(csv.DictReader(ledger.folder.results.read_text().splitlines()))
    assert [row["state"] for row in rows] == [
        "planned", "complete", "unavailable", "planned", "unavailable",
    ]  # fmt: skip
    assert rows[1]["test_mcc"] == "0.4"
    ledger.folder.results.unlink()
    assert main([str(ledger.folder.path)]) == 0
    assert "0.400 (1" in (ledger.folder.tables / "all_mcc.md").read_text()
