"""results.csv of a comparison: rows before any run has ended, settings between fixed columns."""

import csv

from study.engine.comparison.design import runs_of
from study.engine.comparison.results import rebuild_results, write_results
from study.engine.comparison.runs import Configuration
from study.spec import SeedsSpec
from study.spec.comparison.opponents import opponent
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds, dump_comparison
from study.storage.ledger import Ledger
from study.storage.stored import StoredStudy
from tests.study.engine.comparison.simulated import Driver
from tests.study.engine.comparison.small import OpenLedger, configuration, crossed

BEST = configuration()
LORA = Configuration("lora", opponent("lora", BEST.spec).spec)
RUNS = crossed(BEST, LORA, masks=2)


def rows(ledger: Ledger) -> list[dict[str, str]]:
    write_results(ledger.folder, RUNS, ledger.record, "test_mcc")
    return list(csv.DictReader(ledger.folder.results.read_text().splitlines()))


def test_runs_that_have_not_started_are_planned_and_have_all_columns(
    open_ledger: OpenLedger,
) -> None:
    found = rows(open_ledger())
    assert [(row["configuration"], row["mask"], row["state"]) for row in found] == [
        ("best", "100", "planned"), ("best", "101", "planned"), ("lora", "", "planned"),
    ]  # fmt: skip
    assert {"run", "method", "reason", "reports", "test_mcc"} <= found[0].keys()
    assert (found[0]["p"], found[0]["b0"], found[2]["p"]) == ("0.3", "4", "")


def test_settings_are_between_reason_and_reports_and_scores_after_them(
    open_ledger: OpenLedger,
) -> None:
    driver = Driver(open_ledger(), lambda record: RUNS, concurrent=3)
    driver.fill()
    (
        driver.report(rank=12.0, test_mcc=0.25),
        driver.report(),
        driver.report(train_loss=float("nan")),
    )
    driver.finish()
    found = rows(driver.ledger)
    names = list(found[0])
    assert names[:8] == [
        "run", "configuration", "method", "mask", "init", "data", "state", "reason",
    ]  # fmt: skip
    settings = names[names.index("reason") + 1 : names.index("reports")]
    assert {"p", "b0", "bT", "lr", "prune_mode", "alpha"} <= set(settings)
    assert not {"rank", "steps", "dev_mcc", "method"} & set(settings)
    assert {"failed", "complete"} == {row["state"] for row in found}


def test_a_lost_results_csv_is_rebuilt_from_the_spec_and_the_journal(
    open_ledger: OpenLedger,
) -> None:
    configurations = {"best": BEST.spec, "lora": LORA.spec}
    seeds = FactorSeeds.fresh(SeedsSpec(), 2, 1, 1)
    spec = ComparisonSpec(configurations=configurations, seeds=seeds)
    driver = Driver(open_ledger(), lambda record: runs_of(spec), concurrent=1)
    driver.fill()
    driver.report(test_mcc=0.5), driver.report(test_mcc=0.25)
    folder = driver.ledger.folder
    folder.spec.write_text(dump_comparison(spec))
    rebuild_results(StoredStudy.read(folder))
    found = list(csv.DictReader(folder.results.read_text().splitlines()))
    assert [row["state"] for row in found] == ["complete", "planned", "planned"]
    assert found[0]["test_mcc"] == "0.25"


def test_the_row_of_a_run_is_that_of_its_latest_trial(open_ledger: OpenLedger) -> None:
    first = Driver(open_ledger(), lambda record: RUNS, concurrent=1)
    first.fill()
    first.crash(), first.fill(), first.crash()
    Driver(open_ledger(), lambda record: RUNS).finish()
    found = rows(open_ledger())
    assert [row["state"] for row in found] == ["complete"] * 3
    assert "0" not in {row["run"] for row in found}
