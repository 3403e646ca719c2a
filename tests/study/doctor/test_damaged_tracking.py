"""Findings on Optuna's journal and on MLflow, if they differ from the events."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from study.doctor.finding import NotCheckedError
from study.engine.tracking.runs import study_key
from study.engine.tracking.view import tracked_runs
from study.storage.folder import StudyFolder
from study.storage.opening import locked
from study.storage.stored import StoredStudy
from tests.study.doctor.made_folders import ask, edit

Damage = Callable[[StudyFolder], Any]


# Optuna


def optuna_lines(folder: StudyFolder, change: Callable[[list[str]], list[str]]) -> None:
    """Changes the lines of a file; the notes for the dashboard are left out."""
    lines = folder.optuna.read_text().splitlines(keepends=True)
    lines = [line for line in lines if "dashboard:" not in line]
    folder.optuna.write_text("".join(change(lines)))


def put_back(lines: list[str]) -> list[str]:
    """Removes the state of the last trial, so that it is RUNNING."""
    last = json.loads(lines[-1])
    assert last["op_code"] == 4
    del last["state"], last["datetime_complete"], last["value"]
    return [*lines[:-1], json.dumps(last) + "\n"]


def reverse(lines: list[str]) -> list[str]:
    """Numbers the trials in another order, as by the order of their ends."""
    trials = [line for line in lines if json.loads(line)["op_code"] == 4]
    return [line for line in lines if line not in trials] + trials[::-1]


OPTUNA: dict[str, tuple[Damage, str, bool]] = {
    "gone": (lambda f: f.optuna.unlink(), "there is no optuna.journal", True),
    "one short": (lambda f: optuna_lines(f, lambda o: o[:-1]), "lacks trial 2", True),
    "torn": (
        lambda f: optuna_lines(f, lambda o: [*o[:-1], o[-1][:-40]]),
        "lacks trial 2",
        True,
    ),
    "empty": (lambda f: f.optuna.write_text(""), "cannot be read", True),
    "garbage": (lambda f: f.optuna.write_text("garbage\n"), "cannot be read", False),
    "another value": (
        lambda f: optuna_lines(f, lambda o: [line.replace("0.6", "0.7") for line in o]),
        "lacks trial 2, or has other values there",
        False,
    ),
    "one too many": (
        lambda f: optuna_lines(f, lambda o: [*o, o[-1]]),
        "has 1 trials too many",
        False,
    ),
    "running": (
        lambda f: optuna_lines(f, put_back),
        "lacks trial 2, or has other values there",
        True,
    ),
    "numbers of an earlier version": (
        lambda f: optuna_lines(f, reverse),
        "has other numbers of trials",
        True,
    ),
}


@pytest.mark.parametrize("damage", OPTUNA)
def test_an_optuna_journal_that_differs_from_the_events_is_reported(
    finished: Path, damage: str
) -> None:
    change, message, unfinished = OPTUNA[damage]
    change(StudyFolder(finished))
    findings = ask(finished, "optuna")
    assert message in findings[0].problem
    assert findings[0].unfinished == unfinished
    assert "resuming writes it again: python -m study.run" in findings[0].fix


# MLflow


def mlflow(folder: StudyFolder) -> tuple[MlflowClient, dict[int | None, str]]:
    """Returns a client of the folder's database and the runs by trial; the study's is at None."""
    uri = f"sqlite:///{folder.mlflow}"
    runs = tracked_runs(uri, study_key(folder, StoredStudy.read(folder).record("dev_mcc")))
    return MlflowClient(tracking_uri=uri), {run.trial: run.run_id for run in runs}


def set_status(trial: int | None, status: str) -> Damage:
    def damage(folder: StudyFolder) -> None:
        client, runs = mlflow(folder)
        client.update_run(runs[trial], status=status)

    return damage


def delete(trial: int | None) -> Damage:
    def damage(folder: StudyFolder) -> None:
        client, runs = mlflow(folder)
        client.delete_run(runs[trial])

    return damage


def create(tags: dict[str, str]) -> Damage:
    def damage(folder: StudyFolder) -> None:
        client, _ = mlflow(folder)
        experiment = client.get_experiment_by_name("adalora-rs-study")
        assert experiment is not None
        key = {"adalora_rs.study": study_key(folder, StoredStudy.read(folder).record("dev_mcc"))}
        client.create_run(experiment.experiment_id, tags=key | tags)

    return damage


def log(trial: int, reports: int) -> Damage:
    def damage(folder: StudyFolder) -> None:
        client, runs = mlflow(folder)
        client.log_metric(runs[trial], "report", reports, timestamp=2**42, step=1000)

    return damage


def tag(folder: StudyFolder) -> None:
    client, runs = mlflow(folder)
    assert runs[None] is not None
    client.set_tag(runs[None], "winner", "0")


def empty(folder: StudyFolder) -> None:
    """Leaves a database as a kill leaves it while MLflow makes its tables."""
    folder.mlflow.unlink()
    with closing(sqlite3.connect(folder.mlflow)) as connection:
        connection.execute("CREATE TABLE experiments (name)")
        connection.execute("CREATE TABLE _alembic_tmp_runs (name)")


MLFLOW: dict[str, tuple[Damage, str, bool]] = {
    "gone": (lambda f: f.mlflow.unlink(), "the study has no run", True),
    "garbage": (lambda f: f.mlflow.write_bytes(b"garbage" * 999), "mlflow.db is damaged", False),
    "cut short": (
        lambda f: f.mlflow.write_bytes(f.mlflow.read_bytes()[:500_000]),
        "mlflow.db is damaged",
        False,
    ),
    "never complete": (empty, "mlflow.db has no runs; it may be incomplete", True),
    "no parent": (delete(None), "the study has no run", True),
    "no child": (delete(1), "trial 1 have no run", True),
    "two parents": (create({}), "the study has 2 runs", True),
    "two children": (create({"adalora_rs.trial": "1"}), "trial 1 has 2 runs", True),
    "unknown child": (
        create({"adalora_rs.trial": "9"}),
        "a run of trial 9, which the journal does not know",
        False,
    ),
    "parent running": (set_status(None, "RUNNING"), "the study's run is RUNNING", True),
    "child running": (
        set_status(0, "RUNNING"),
        "the runs of trial 0 are RUNNING in place of FINISHED",
        True,
    ),
    "reports missing": (log(0, 3), "the runs of trial 0 lack reports", True),
    "reports too many": (log(0, 5), "the run of trial 0 has 5 reports, the journal 4", False),
    "another winner": (tag, "names trial 0 the winner, not 2", True),
}


@pytest.mark.parametrize("damage", MLFLOW)
def test_mlflow_runs_that_differ_from_the_events_are_reported(finished: Path, damage: str) -> None:
    change, message, unfinished = MLFLOW[damage]
    change(StudyFolder(finished))
    finding = next(f for f in ask(finished, "mlflow") if message in f.problem)
    assert finding.unfinished == unfinished


def test_an_unfinished_trial_that_is_running_in_mlflow_is_reported(interrupted: Path) -> None:
    assert ask(interrupted, "mlflow") == []
    set_status(2, "RUNNING")(StudyFolder(interrupted))
    [finding] = ask(interrupted, "mlflow")
    assert "trial 2 are RUNNING, but no driver is at work" in finding.problem


def test_a_database_outside_the_study_folder_is_read_at_its_address(
    finished: Path, tmp_path: Path
) -> None:
    folder, elsewhere = StudyFolder(finished), tmp_path / "elsewhere.db"
    folder.mlflow.rename(elsewhere)
    assert ask(finished, "mlflow", f"sqlite:///{elsewhere}") == []
    edit(finished, lambda events: events[0].update(tracking=f"sqlite:///{elsewhere}"))
    assert ask(finished, "mlflow") == []
    assert not folder.mlflow.exists()


def test_mlflow_that_cannot_be_read_is_not_checked(finished: Path, tmp_path: Path) -> None:
    with locked(StudyFolder(finished)), pytest.raises(NotCheckedError, match="driver is writing"):
        ask(finished, "mlflow")
    with pytest.raises(NotCheckedError, match="there is no database at"):
        ask(finished, "mlflow", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(NotCheckedError, match="must answer a search"):
        ask(finished, "mlflow", "http://127.0.0.1:9")
    edit(finished, lambda events: events[0].pop("tracking"))
    StudyFolder(finished).mlflow.unlink()
    with pytest.raises(NotCheckedError, match="give its address with --tracking-uri"):
        ask(finished, "mlflow")
