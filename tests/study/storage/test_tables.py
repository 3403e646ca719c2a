"""Columns and rows of trials.csv and pareto.csv."""

import csv
from pathlib import Path

import pytest

from study.storage.events import Report
from study.storage.ledger import StudyLedger
from study.storage.record import OUT_OF_MEMORY
from study.storage.tables import race_columns, write_trials
from tests.study.ledgers import OpenLedger, create
from tests.study.storage.result.raced_studies import raced

TWO = "objectives=[maximize dev_mcc, minimize trainable_parameters]"


def ended(ledger: StudyLedger, value: float, size: int, state: str, reason: str = "") -> None:
    number = len(ledger.record.trials)
    create(ledger, number)
    metrics = {"dev_mcc": value, "trainable_parameters": size}
    ledger.append(Report(trial=number, report=4, step=40, metrics=metrics))
    ledger.end(ledger.record.trials[number], state, reason)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_without_constraints_and_objectives_has_no_columns_for_them(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    ended(ledger, 0.5, 100, "complete")
    write_trials(ledger)
    [row] = rows(ledger.folder.trials)
    assert not {"feasible", "on_front"} & set(row)
    assert not ledger.folder.pareto.exists()


def test_feasible_trials_and_the_pareto_front_are_marked_in_the_tables(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger(TWO, 'constraints={trainable_parameters: "<= 100"}')
    ended(ledger, 0.5, 100, "complete")
    ended(ledger, 0.9, 101, "complete")
    ended(ledger, 0.4, 100, "complete")
    ended(ledger, 0.3, 50, "complete")
    ended(ledger, 0.9, 50, "pruned")
    ended(ledger, 0.9, 200, "pruned")
    ended(ledger, 0.9, 50, "failed", "diverged")
    ended(ledger, 0.9, 50, "failed", f"{OUT_OF_MEMORY} on the GPU")
    create(ledger, 8)
    write_trials(ledger)
    table = rows(ledger.folder.trials)
    assert [row["feasible"] for row in table] == [
        "yes", "no", "yes", "yes", "", "no", "", "no", "",
    ]  # fmt: skip
    assert [row["on_front"] for row in table] == ["yes", "no", "no", "yes", *[""] * 5]
    front = rows(ledger.folder.pareto)
    assert [row["trial"] for row in front] == ["0", "3"]
    assert front[0] == table[0]


def test_after_a_race_the_table_has_its_scores(open_ledger: OpenLedger) -> None:
    ledger = raced(open_ledger)
    write_trials(ledger)
    first, other, winner, stopped = rows(ledger.folder.trials)
    assert set(race_columns(ledger.spec)) <= set(winner)
    assert (winner["as_good"], other["as_good"], stopped["as_good"]) == ("winner", "yes", "")
    assert float(winner["dev_mcc_confirmed_mean"]) == pytest.approx(0.42)
    assert float(winner["test_mcc_confirmed_mean"]) == pytest.approx(0.40)
    assert winner["confirmed_runs"] == "2"
    assert winner["dev_mcc_fresh_mean"] == "0.45"
    assert other["dev_mcc_fresh_mean"] == "0.41"
    assert other["dev_mcc_confirmed_mean"] == first["dev_mcc_fresh_mean"] == ""
    assert winner["dev_mcc"] == "0.5", "the last report of the search"


def test_without_a_race_the_table_has_no_columns_for_it(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ended(ledger, 0.5, 100, "complete")
    write_trials(ledger)
    assert not set(race_columns(ledger.spec)) & set(rows(ledger.folder.trials)[0])
