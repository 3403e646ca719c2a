"""The doctor on everything but the journal: each file is damaged in turn."""

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_folders import ask, edit, save_checkpoint
from mlflow import MlflowClient

from study.engine.doctor import files
from study.engine.doctor.finding import NotCheckedError
from study.engine.folder import StudyFolder, locked
from study.engine.journal import Journal
from study.engine.tracked_runs import tracked_runs
from study.engine.tracking_runs import study_key
from study.spec import dump_spec, load_spec

Damage = Callable[[StudyFolder], Any]
PARAMS = {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}
"""Of trial 2."""


def damage_weights(file: Path) -> None:
    """Changes one of many zeros."""
    data = file.read_bytes()
    place = data.index(bytes(256))
    file.write_bytes(data[: place + 5] + b"\1" + data[place + 6 :])


# Optuna


def optuna_lines(folder: StudyFolder, change: Callable[[list[str]], list[str]]) -> None:
    lines = folder.optuna.read_text().splitlines(keepends=True)
    folder.optuna.write_text("".join(change(lines)))


def put_back(lines: list[str]) -> list[str]:
    """As if the last trial had never been told how it ended."""
    last = json.loads(lines[-1])
    assert last["op_code"] == 4
    del last["state"], last["datetime_complete"], last["value"]
    return [*lines[:-1], json.dumps(last) + "\n"]


OPTUNA: dict[str, tuple[Damage, str, bool]] = {
    "gone": (lambda f: f.optuna.unlink(), "there is no optuna.journal", True),
    "one short": (lambda f: optuna_lines(f, lambda o: o[:-1]), "lacks trial 2", True),
    "torn": (
        lambda f: f.optuna.write_bytes(f.optuna.read_bytes()[:-40]),
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
        "has 1 trials that did not end so",
        False,
    ),
    "running": (lambda f: optuna_lines(f, put_back), "has a trial that is RUNNING", False),
}


@pytest.mark.parametrize("damage", OPTUNA)
def test_an_optuna_journal_that_is_not_the_records_is_found(finished: Path, damage: str) -> None:
    change, said, unfinished = OPTUNA[damage]
    change(StudyFolder(finished))
    findings = ask(finished, "optuna")
    assert said in findings[0].problem
    assert findings[0].unfinished == unfinished
    assert "made anew by python -m study.run" in findings[0].mend


# Checkpoints


def other_params(folder: StudyFolder) -> None:
    save_checkpoint(folder, 2, 2, {"b0": 99})


CHECKPOINTS: dict[str, tuple[Damage, str, bool]] = {
    "gone": (
        lambda f: [file.unlink() for file in f.checkpoints.glob("trial-00002*")],
        "trial 2: has 2 reports, but no checkpoint",
        False,
    ),
    "damaged": (
        lambda f: damage_weights(f.checkpoint(2)),
        "checkpoints/trial-00002.pt is damaged",
        False,
    ),
    "cut short": (
        lambda f: f.checkpoint(2).write_bytes(f.checkpoint(2).read_bytes()[:400]),
        "checkpoints/trial-00002.pt is damaged",
        False,
    ),
    "no checkpoint": (
        lambda f: torch.save({"something": "else"}, f.checkpoint(2)),
        "checkpoints/trial-00002.pt is damaged",
        False,
    ),
    "of another study": (other_params, "is of other parameters: {'b0': 99}", False),
    "too old": (
        lambda f: shutil.copy(f.checkpoints / "trial-00002.previous.pt", f.checkpoint(2)),
        "is of report 1, but the journal has 2",
        False,
    ),
    "too new": (
        lambda f: save_checkpoint(f, 2, 4, PARAMS),
        "is of report 4, but the journal has 2",
        False,
    ),
    "half written": (
        lambda f: (f.checkpoints / "trial-00002.7.partial").write_bytes(b"x"),
        "trial-00002.7.partial: is half written",
        True,
    ),
    "left over": (
        lambda f: save_checkpoint(f, 1, 1, {}),
        "checkpoints of trial 1 are not needed any more",
        True,
    ),
    "of no trial": (
        lambda f: save_checkpoint(f, 17, 1, {}),
        "checkpoints/trial-00017.pt: belongs to no trial",
        False,
    ),
    "of the best": (
        lambda f: [file.unlink() for file in f.checkpoints.glob("trial-00000*")],
        "trial 0: is among the best so far, but has no checkpoint",
        False,
    ),
}


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_checkpoints_that_do_not_serve_are_found(interrupted: Path, damage: str) -> None:
    change, said, unfinished = CHECKPOINTS[damage]
    change(StudyFolder(interrupted))
    [finding] = ask(interrupted, "checkpoints")
    assert said in finding.problem
    assert finding.unfinished == unfinished


def test_a_checkpoint_may_be_one_report_ahead_of_the_journal(interrupted: Path) -> None:
    save_checkpoint(StudyFolder(interrupted), 2, 3, PARAMS)
    assert ask(interrupted, "checkpoints") == []


def test_a_checkpoint_from_before_the_study_grew_serves(interrupted: Path) -> None:
    searched = "adapter.beta1={type: float, low: 0.5, high: 0.9}"
    spec = load_spec(str(StudyFolder(interrupted).spec), [searched])
    journal = Journal(StudyFolder(interrupted).journal)
    fields = {"trials": 4, "changes": ["adapter.beta1"], "spec": dump_spec(spec)}
    journal.append("grown", **fields, fixed={"beta1": 0.85}, space=True)
    assert ask(interrupted, "checkpoints") == []


# The winner


def scores(folder: StudyFolder, **changed: Any) -> None:
    folder.scores.write_text(json.dumps(json.loads(folder.scores.read_text()) | changed))


WINNER: dict[str, tuple[Damage, str]] = {
    "no head": (lambda f: (f.best / "head.safetensors").unlink(), "head.safetensors is missing"),
    "no folder": (lambda f: shutil.rmtree(f.best), "head.safetensors is missing"),
    "damaged adapters": (
        lambda f: (f.best / "adapters.safetensors").write_bytes(b"\xff" * 200),
        "adapters.safetensors is damaged",
    ),
    "cut short": (
        lambda f: (f.best / "adapters.safetensors").write_bytes(
            (f.best / "adapters.safetensors").read_bytes()[:-9]
        ),
        "adapters.safetensors is damaged",
    ),
    "no scores": (lambda f: f.scores.unlink(), "scores.json is missing"),
    "no JSON": (lambda f: f.scores.write_text("{"), "scores.json is not JSON"),
    "no object": (lambda f: f.scores.write_text("[]"), "scores.json is not a JSON object"),
    "another trial": (
        lambda f: scores(f, trial=0),
        "must be as in the journal, 2, but is 0",
    ),
    "other scores": (
        lambda f: scores(f, test={"test_mcc": 1.0}),
        "must be as in the journal",
    ),
    "no spec": (lambda f: f.best_spec.unlink(), "there is no best.yaml"),
    "spec damaged": (lambda f: f.best_spec.write_text("adapter: {p: }}"), "best.yaml cannot be"),
    "another spec": (
        lambda f: f.best_spec.write_text(f.best_spec.read_text().replace("p: 0.1", "p: 0.2")),
        "best.yaml is not the winner's",
    ),
}


@pytest.mark.parametrize("damage", WINNER)
def test_a_winner_whose_files_are_not_its_own_is_found(finished: Path, damage: str) -> None:
    change, said = WINNER[damage]
    change(StudyFolder(finished))
    findings = ask(finished, "winner")
    assert said in findings[0].problem
    assert "--resume" in findings[0].mend


def test_scores_without_a_winner_are_what_a_kill_leaves(finished: Path) -> None:
    edit(finished, lambda events: events.pop())
    [finding] = ask(finished, "winner")
    assert finding.unfinished


# Tables, spec, disk


def more_rows(folder: StudyFolder) -> None:
    text = folder.trials.read_text()
    folder.trials.write_text(text + text.splitlines()[-1] + "\n")


def grown(folder: StudyFolder) -> None:
    spec = dump_spec(load_spec(str(folder.spec), ["search.trials=9"]))
    fields = {"trials": 9, "changes": ["search.trials: 3 -> 9"], "spec": spec}
    Journal(folder.journal).append("grown", **fields, fixed={}, space=False)


FILES: dict[str, tuple[Damage, str, bool]] = {
    "no table": (lambda f: f.trials.unlink(), "there is no trials.csv", True),
    "one row short": (
        lambda f: f.trials.write_text("".join(f.trials.read_text().splitlines(True)[:-1])),
        "trials.csv does not have what the journal has of trial 2",
        True,
    ),
    "one row more": (more_rows, "trials.csv has 4 rows in place of 3", False),
    "another value": (
        lambda f: f.trials.write_text(f.trials.read_text().replace("0.05", "0.95")),
        "does not have what the journal has of trial 1",
        True,
    ),
    "no text": (
        lambda f: f.trials.write_bytes(b"\xff\xfe"),
        "trials.csv cannot be read",
        False,
    ),
    "no spec": (lambda f: f.spec.unlink(), "there is no spec.yaml", False),
    "spec damaged": (lambda f: f.spec.write_text("search: ["), "spec.yaml cannot be read", False),
    "spec edited": (
        lambda f: f.spec.write_text(f.spec.read_text().replace("trials: 3", "trails: 3")),
        "unknown key; did you mean `trials`?",
        False,
    ),
    "spec behind": (grown, "spec.yaml is not the spec that the study has grown to", True),
}


@pytest.mark.parametrize("damage", FILES)
def test_tables_and_specs_that_are_not_the_records_are_found(finished: Path, damage: str) -> None:
    change, said, unfinished = FILES[damage]
    change(StudyFolder(finished))
    [finding] = ask(finished, "files")
    assert said in finding.problem
    assert finding.unfinished == unfinished


def test_a_disk_that_is_nearly_full_is_found(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 5 * 2**20, 5 * 2**20)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    [finding] = ask(finished, "files")
    assert finding.problem == "the disk has 5 MB left"


def test_a_folder_that_cannot_be_written_is_found(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    [finding] = ask(finished, "files")
    assert finding.problem == "the folder cannot be written"


# MLflow


def mlflow(folder: StudyFolder) -> tuple[MlflowClient, dict[int | None, str]]:
    """A client of the folder's database, and the run of each trial; None is the study's."""
    uri = f"sqlite:///{folder.mlflow}"
    runs = tracked_runs(uri, study_key(folder))
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
        key = {"adalora_rs.study": study_key(folder)}
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


MLFLOW: dict[str, tuple[Damage, str, bool]] = {
    "gone": (lambda f: f.mlflow.unlink(), "the study has no run", True),
    "garbage": (lambda f: f.mlflow.write_bytes(b"garbage" * 999), "mlflow.db is damaged", False),
    "cut short": (
        lambda f: f.mlflow.write_bytes(f.mlflow.read_bytes()[:500_000]),
        "mlflow.db is damaged",
        False,
    ),
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
def test_runs_that_are_not_the_records_are_found(finished: Path, damage: str) -> None:
    change, said, unfinished = MLFLOW[damage]
    change(StudyFolder(finished))
    finding = next(f for f in ask(finished, "mlflow") if said in f.problem)
    assert finding.unfinished == unfinished


def test_an_unfinished_trial_may_not_stay_running_in_mlflow(interrupted: Path) -> None:
    assert ask(interrupted, "mlflow") == []
    set_status(2, "RUNNING")(StudyFolder(interrupted))
    [finding] = ask(interrupted, "mlflow")
    assert "trial 2 are RUNNING, but no driver is at work" in finding.problem


def test_another_database_is_looked_at_where_it_is(finished: Path, tmp_path: Path) -> None:
    folder, elsewhere = StudyFolder(finished), tmp_path / "elsewhere.db"
    folder.mlflow.rename(elsewhere)
    assert ask(finished, "mlflow", f"sqlite:///{elsewhere}") == []
    edit(finished, lambda events: events[0].update(tracking=f"sqlite:///{elsewhere}"))
    assert ask(finished, "mlflow") == []
    assert not folder.mlflow.exists()


def test_where_nothing_can_be_known_of_mlflow_nothing_is_said(
    finished: Path, tmp_path: Path
) -> None:
    with locked(StudyFolder(finished)), pytest.raises(NotCheckedError, match="driver is writing"):
        ask(finished, "mlflow")
    with pytest.raises(NotCheckedError, match="there is no database at"):
        ask(finished, "mlflow", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(NotCheckedError, match="must answer"):
        ask(finished, "mlflow", "http://127.0.0.1:9")
    edit(finished, lambda events: events[0].pop("tracking"))
    StudyFolder(finished).mlflow.unlink()
    with pytest.raises(NotCheckedError, match="say where with --tracking-uri"):
        ask(finished, "mlflow")
