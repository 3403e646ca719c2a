"""Whole studies on a local Ray cluster: crashes, divergence, states, files."""

import csv
import json
import math
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
import ray
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from safetensors import safe_open

from study.doctor.examination import examine
from study.engine import cluster, stalls, tuning
from study.engine.console.display import Display
from study.engine.driver import SessionStatus
from study.engine.preparation import prepare_data
from study.engine.session import run_study
from study.engine.stored_winner import StoredWinner
from study.engine.worker import TrialWorker
from study.errors import InputError
from study.run import main
from study.spec import load_spec
from study.storage.events import StudyOpened, TrialStalled, WinnerEvaluated
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.predictions import read_predictions
from study.storage.record import StudyRecord
from study.storage.stored import StoredStudy
from study.tasks.metrics import classification_metrics
from study.training.files.trained import load_trained

# Ray and its dependencies warn and leave sockets open, which is not tested here.
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

TINY = (
    "adapter.deltaT=2",
    "training.steps=8",
    "training.reports=4",
    "training.batch_size=4",
    "task.train=32",
    "task.dev=32",
    "task.test=32",
    "search.trials=4",
    # The start of a worker takes longer than its trials.
    "resources.max_concurrent=1",
)


@pytest.fixture(autouse=True, scope="module")
def one_cluster() -> Iterator[None]:
    """One cluster for all studies of this file; starting one takes seconds."""
    with cluster.running_ray(None), pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "running_ray", nullcontext)
        yield


def run(path: Path, *overrides: str) -> tuple[SessionStatus, StudyFolder, StudyRecord]:
    spec = load_spec("smoke", [*TINY, *overrides])
    ended = run_study(
        StoredStudy.read(StudyFolder(path)),
        spec,
        *prepare_data(spec),
        address=None,
        tracking_uri=None,
        display=Display(),
    )
    folder = StudyFolder(path)
    record = StoredStudy.read(folder).study_record()
    return ended, folder, record


def by_command(path: Path, *overrides: str) -> tuple[StudyFolder, StudyRecord]:
    """Runs a new study as `python -m study.run` does, in this process."""
    settings = [word for setting in (*TINY, *overrides) for word in ("--set", setting)]
    folder = ["--storage", str(path.parent), "--name", path.name]
    assert main(["--space", "smoke", *folder, *settings]) == 0
    return StudyFolder(path), StoredStudy.read(StudyFolder(path)).study_record()


def test_a_study_writes_every_file_with_the_same_states(tmp_path: Path) -> None:
    racing = ("search.trials=8", "scheduler.name=none", "finalists.confirm=2")
    folder, record = by_command(tmp_path / "study", *racing)
    assert folder.report.is_file()
    states = [trial.state for trial in record.trials.values()]
    assert len(states) == 8
    assert set(states) <= {"complete", "pruned"}

    opened = Journal(folder.journal).read()[0]
    assert isinstance(opened, StudyOpened)
    assert opened.quality
    assert opened.tokens
    assert opened.quality["splits"]["train"]["class_rows"] == [16, 16]
    assert opened.tokens["splits"]["test"]["unknown"] == 0

    assert opened.baselines
    assert set(opened.baselines) == {"majority", "gc", "kmer"}
    assert set(record.baselines) == {"cnn"}
    assert {"dev_mcc", "test_mcc"} <= set(record.baselines["cnn"])

    rows = list(csv.DictReader(folder.trials.open()))
    assert [row["state"] for row in rows] == states
    assert sum(row["as_good"] == "winner" for row in rows) == 1
    assert sum(row["dev_mcc_confirmed_mean"] != "" for row in rows) == 1
    assert all(float(row["trainable_parameters"]) > 0 for row in rows)

    storage = JournalStorage(JournalFileBackend(str(folder.optuna)))
    optuna_trials = optuna.load_study(study_name="study", storage=storage).trials
    names = {"complete": "COMPLETE", "pruned": "PRUNED"}
    assert sorted(t.state.name for t in optuna_trials) == sorted(names[state] for state in states)
    assert all(trial.intermediate_values for trial in optuna_trials)
    for trial, ours in zip(optuna_trials, record.trials.values(), strict=True):
        assert (trial.number, trial.params) == (ours.number, ours.params)
        assert trial.datetime_complete == datetime.fromtimestamp(ours.ended or 0)

    client = MlflowClient(tracking_uri=f"sqlite:///{folder.mlflow}")
    [experiment] = [e for e in client.search_experiments() if e.name == "adalora-rs/promoters"]
    runs = client.search_runs([experiment.experiment_id])
    names = [r.data.tags["mlflow.runName"] for r in runs]
    title = "study: race of the finalists"
    races = [r for r, name in zip(runs, names, strict=True) if name == title]
    of_race = {r.info.run_id for r in races}
    raced = [r for r in runs if r.data.tags.get("mlflow.parentRunId") in of_race]
    assert [r.info.status for r in (*races, *raced)] == ["FINISHED"] * 5
    runs = [r for r in runs if r not in (*races, *raced)]
    assert len(runs) == 9
    expected = {"complete": "FINISHED", "pruned": "KILLED"}
    statuses = sorted(["FINISHED", *(expected[state] for state in states)])
    assert sorted(r.info.status for r in runs) == statuses

    assert record.winner is not None
    race, won = record.winner.race, record.winner.trial
    assert race
    first = sorted(record.trials.values(), key=lambda t: (-(t.value or 0), t.number))[:2]
    assert [one.trial for one in race.candidates] == [t.number for t in first]
    fresh = {one.trial: one.fresh for one in race.candidates}
    sums = {t.number: 0.5 * t.value + fresh[t.number][0] for t in first}
    assert won == max(sums, key=sums.__getitem__)
    assert race.seeds == [dict.fromkeys(("init", "data", "mask"), s) for s in (1001, 1002)]
    assert race.dev["dev_mcc"] == fresh[won][1:]
    assert len(race.test["test_mcc"]) == 2
    [parent] = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    mean = sum(value or 0 for value in race.test["test_mcc"]) / 2
    assert parent.data.metrics["test_mcc"] == pytest.approx(mean)
    assert [one.dataset.name for one in parent.inputs.dataset_inputs] == [
        f"promoters, {split}" for split in ("train", "dev", "test")
    ]
    [model] = parent.outputs.model_outputs
    assert client.get_logged_model(model.model_id).status == "READY"
    trials = [r for r in runs if r is not parent]
    assert all("system/worker_memory_usage_megabytes" in r.data.metrics for r in trials)
    assert {r.info.run_name for r in raced} >= {f"race: trial {won}, seed 1002"}
    rows_of_race = list(csv.DictReader(StudyFolder(folder.finalists).results.open()))
    assert [row["configuration"] for row in rows_of_race[2:]] == [f"trial-{won}"] * 2
    assert [bool(row["test_mcc"]) for row in rows_of_race] == [False, False, True, True]
    confirming = StoredWinner.read(folder.path).confirming()
    assert [run_spec.seeds.init for run_spec in confirming.values()] == [1001, 1002]
    assert set(StudyFolder(folder.finalists).weights.iterdir()) == set(confirming)
    for weights, run_spec in confirming.items():
        load_trained(run_spec, weights, None)
    trace = json.loads((folder.best / "budget_trace.json").read_text())
    assert [event["step"] for event in trace] == [2, 4, 6]
    with safe_open(folder.best / "adapters.safetensors", framework="pt") as file:
        assert file.metadata()["method"] == "adalora_rs"
    predictions = read_predictions(folder.predictions)
    assert predictions is not None
    logits, labels = predictions.splits["test"].logits, predictions.splits["test"].labels
    scores = classification_metrics(logits, labels).items()
    assert {f"test_{name}": value for name, value in scores} == record.winner.test
    again = load_spec(str(folder.best_spec))
    assert again.domains == {}
    assert again.adapter.b0 == record.trials[record.winner.trial].settings["b0"]
    kept = {path.name.split(".")[0] for path in folder.checkpoints.iterdir()}
    assert kept == {f"trial-{trial.number:05d}" for trial in first}
    assert not any(folder.failures.iterdir())
    assert examine(folder.path) == []

    with folder.journal.open("a") as journal:
        journal.write('{"event": "resu')  # The driver was killed while it wrote a line.
    ended_again, _, after = run(tmp_path / "study", *racing)
    assert ended_again is SessionStatus.DONE
    assert after == record
    assert folder.journal.read_bytes().endswith(b"}\n")

    # A driver that died before the last files were written, or a server that was unreachable.
    folder.trials.unlink()
    folder.best_spec.unlink()
    client.update_run(parent.info.run_id, status="RUNNING")
    _, _, repaired = run(tmp_path / "study", *racing)
    assert repaired == record
    assert list(csv.DictReader(folder.trials.open())) == rows
    assert load_spec(str(folder.best_spec)) == again
    assert client.get_run(parent.info.run_id).info.status == "FINISHED"

    spec = load_spec("smoke", [*TINY, *racing])
    other = prepare_data(load_spec("smoke", [*TINY, *racing, "task.seed=5"]))
    with pytest.raises(
        InputError, match="must be resumed with the data that the study was started with"
    ):
        run_study(
            StoredStudy.read(folder),
            spec,
            *other,
            address=None,
            tracking_uri=None,
            display=Display(),
        )


@pytest.mark.slow
def test_stopped_trials_run_on_after_the_winner_is_known(tmp_path: Path) -> None:
    spec = ("search.trials=6", "scheduler.audit=1", "finalists.candidates=0")
    ended, folder, record = run(tmp_path / "study", *spec)
    assert ended is SessionStatus.DONE
    stopped = record.in_state("pruned")
    assert stopped
    assert all(trial.audited and "dev_mcc" in trial.audited.metrics for trial in stopped)
    plain, other, without = run(tmp_path / "plain", *spec[:1], *spec[2:])
    assert plain is SessionStatus.DONE
    # With one worker the search is that of a study without an audit.
    states = [(trial.state, trial.value) for trial in record.trials.values()]
    assert states == [(trial.state, trial.value) for trial in without.trials.values()]
    assert record.winner is not None
    assert without.winner is not None
    assert record.winner.test == without.winner.test
    rows = list(csv.DictReader(folder.trials.open()))
    assert [bool(row["dev_mcc_audited"]) for row in rows] == [r["state"] == "pruned" for r in rows]
    assert examine(folder.path) == examine(other.path) == []
    again, _, after = run(tmp_path / "study", *spec)
    assert (again, after) == (SessionStatus.DONE, record)


@pytest.mark.slow
def test_a_race_whose_checkpoints_are_lost_is_run_again_to_the_same_scores(
    tmp_path: Path,
) -> None:
    racing = ("search.trials=8", "scheduler.name=none", "finalists.confirm=2")
    _, folder, record = run(tmp_path / "study", *racing)
    assert record.winner is not None
    confirming = StoredWinner.read(folder.path).confirming()
    # A driver that died in the race.
    journals = (folder.journal, StudyFolder(folder.finalists).journal)
    for journal, lost in zip(journals, (1, 4), strict=True):
        lines = journal.read_text().splitlines(keepends=True)
        journal.write_text("".join(lines[:-lost]))
    shutil.rmtree(folder.checkpoints)
    _, _, retrained = run(tmp_path / "study", *racing)
    assert retrained.winner is not None
    assert retrained.winner.dev == record.winner.dev
    assert retrained.winner.test == record.winner.test
    assert retrained.winner.race == record.winner.race
    assert set(StoredWinner.read(folder.path).confirming()) == set(confirming)


@pytest.mark.slow
def test_a_finished_study_is_extended_with_a_wider_space_and_a_new_winner(
    tmp_path: Path,
) -> None:
    quick = ("scheduler.name=none", "search.sampler={name: random}", "training.reports=1")
    _, folder, before = run(tmp_path / "study", *quick, "search.trials=1", "training.lr=1e-7")
    assert before.winner is not None
    wider = "training.lr={type: float, low: 1e-7, high: 0.02}"
    ended, _, record = run(tmp_path / "study", *quick, "search.trials=3", wider)
    assert ended is SessionStatus.DONE
    assert len(record.in_state("complete")) == 3
    assert record.trials[0].settings["lr"] == 1e-7
    winner = record.best(maximize=True)
    assert winner is not None
    assert winner.number > 0, "a better one than that with hardly any learning rate"
    events = Journal(folder.journal).read()
    assert [e.trial for e in events if isinstance(e, WinnerEvaluated)] == [0, winner.number]
    assert load_spec(str(folder.best_spec)).training.lr == winner.settings["lr"]
    assert json.loads((folder.best / "scores.json").read_text())["trial"] == winner.number
    assert next(row["lr"] for row in csv.DictReader(folder.trials.open())) == "1e-07"

    client = MlflowClient(tracking_uri=f"sqlite:///{folder.mlflow}")
    [experiment] = [e for e in client.search_experiments() if e.name == "adalora-rs/promoters"]
    runs = client.search_runs([experiment.experiment_id])
    assert [r.info.status for r in runs] == ["FINISHED"] * 4
    [parent] = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    assert parent.data.tags["winner"] == str(winner.number)

    # Fewer trials change nothing, and the test split is not used again.
    again, _, after = run(tmp_path / "study", *quick, "search.trials=2", wider)
    assert (again, after) == (SessionStatus.DONE, record)


class CrashingWorker(TrialWorker):
    """Crashes on trial 1, at its second report."""

    def step(self) -> dict[str, Any]:
        if self.number == 1 and self.report == 1:
            raise ZeroDivisionError("a bug of the test's making")
        return super().step()


def test_crashed_and_diverged_trials_fail_with_their_reasons_and_the_study_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(tuning, "TrialWorker", CrashingWorker)
    ended, folder, record = run(
        tmp_path / "study",
        "scheduler.name=none",
        "search.trials=4",
        "resources.max_failures=0",
        "training.lr={type: categorical, choices: [1e-3, 1e30]}",
        "points=[{lr: 1e-3}, {lr: 1e-3}, {lr: 1e30}, {lr: 1e-3}]",
    )
    assert ended is SessionStatus.DONE
    trials = [record.trials[number] for number in range(4)]
    assert [trial.state for trial in trials] == ["complete", "failed", "failed", "complete"]
    assert "2 complete, 0 stopped early, 2 failed" in capsys.readouterr().out

    assert trials[1].crashes == 1
    text = folder.failure(1).read_text()
    assert "ZeroDivisionError: a bug of the test's making" in text
    assert not folder.failure(0).exists()

    assert "diverged" in trials[2].reason
    assert len(trials[2].reports) <= 2
    storage = JournalStorage(JournalFileBackend(str(folder.optuna)))
    optuna_trials = optuna.load_study(study_name="study", storage=storage).trials
    assert [t.state.name for t in optuna_trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    assert all(math.isfinite(v) for t in optuna_trials for v in t.intermediate_values.values())


class BrokenWorker(TrialWorker):
    """Crashes before its first report."""

    def step(self) -> dict[str, Any]:
        raise ZeroDivisionError("a bug of the test's making")


@pytest.mark.chaos
def test_a_study_in_which_every_trial_crashes_is_given_up_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(tuning, "TrialWorker", BrokenWorker)
    ended, _, record = run(tmp_path / "study", "search.trials=12")
    assert ended is SessionStatus.FAILED
    assert len(record.trials) <= 5
    printed = capsys.readouterr().out
    assert "all crashed before their first report" in printed
    assert "traceback in" in printed


class StoppedWorker(TrialWorker):
    """Is stopped once, as by a debugger or a file system that does not answer."""

    def step(self) -> dict[str, Any]:
        mark = self.folder.path / "stopped"
        if self.report == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().step()


def limit_of_a_test(record: StudyRecord, stall_minutes: float | None) -> float:
    """A short limit only for the worker that will be stopped; to start one takes a while."""
    return 0.3 if record.reports and not record.trials[0].crashes else 60.0


@pytest.mark.slow
def test_a_stopped_worker_is_named_killed_and_its_trial_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(tuning, "TrialWorker", StoppedWorker)
    monkeypatch.setattr(stalls, "stall_limit", limit_of_a_test)
    ended, folder, record = run(tmp_path / "study", "search.trials=1")
    assert ended is SessionStatus.DONE
    assert (record.trials[0].state, record.trials[0].crashes) == ("complete", 1)
    about = [e for e in StoredStudy.read(folder).events if isinstance(e, TrialStalled)]
    assert [(one.trial, one.limit) for one in about] == [(0, 0.3)]
    printed = capsys.readouterr().out
    assert "trial 0: its worker has given no sign of life for 0.0" in printed
    assert "stalled: no sign of life for 0.3 min, so its process was killed" in printed
    assert not list(folder.heartbeats.iterdir())


METHODS = {
    "lora": "{method: lora, rank: 4}",
    "fmft": "{method: fmft}",
}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_other_methods_run_as_studies(tmp_path: Path, method: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(f"adapter: {METHODS[method]}\ntraining: {{lr: 1e-3}}\n")
    plain = [setting for setting in TINY if not setting.startswith("adapter.")]
    spec = load_spec(str(file), plain)
    path = tmp_path / "study"
    stored = StoredStudy.read(StudyFolder(path))
    ended = run_study(
        stored,
        spec,
        *prepare_data(spec),
        address=None,
        tracking_uri=None,
        display=Display(),
    )
    assert ended is SessionStatus.DONE
    best = StudyFolder(path).best
    assert (best / "head.safetensors").exists()
    assert (best / "adapters.safetensors").exists() == (method == "lora")
    assert (best / "model.safetensors").exists() == (method == "fmft")
