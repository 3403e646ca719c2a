"""A tracking server that is killed and restarted, without lost or duplicate results."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from study.engine.tracking import tracker as tracking
from study.engine.tracking.runs import STUDY_TAG, TRIAL_TAG, study_key
from study.engine.tracking.subject import FIRST_EXPERIMENT, Subject
from study.engine.tracking.tracker import Tracker
from study.spec import dump_spec
from study.storage.events import StudyOpened
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from tests.study.ledgers import OpenLedger, create, report

pytestmark = pytest.mark.process
History = list[tuple[int, float]]


class Server:
    """`mlflow server` on loopback with a sqlite database; always on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Saves the process that executes jobs, which no test needs.
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        options = f"--host 127.0.0.1 --port {self.port} --workers 1".split()
        database = f"--backend-store-uri=sqlite:///{self.folder}/server.db"
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *options, database],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, 120)

    def kill(self) -> None:
        """Kills the server and its workers with SIGKILL."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            urllib.request.urlopen(f"{self.uri}/health", timeout=1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.1)


def read(ledger: StudyLedger, uri: str) -> tuple[list[str], dict[int, tuple[str, History]]]:
    """Returns the states of the study's parents, and state and scores by step of each child."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(FIRST_EXPERIMENT)
    if experiment is None:
        return [], {}
    query = f"tags.`{STUDY_TAG}` = '{study_key(ledger.folder, ledger.record)}'"
    runs = list(client.search_runs([experiment.experiment_id], query))
    children = [run for run in runs if TRIAL_TAG in run.data.tags]
    children_by_trial = {
        int(run.data.tags[TRIAL_TAG]): (run.info.status, history(client, run)) for run in children
    }
    assert len(children_by_trial) == len(children)
    return [run.info.status for run in runs if run not in children], children_by_trial


def history(client: MlflowClient, run: Any) -> History:
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "dev_mcc")]


def scores(reports: int) -> History:
    return [(10 * index, 0.125 * index) for index in range(1, reports + 1)]


def report_up_to(ledger: StudyLedger, number: int, reports: int) -> None:
    for index in range(len(ledger.record.trials[number].reports) + 1, reports + 1):
        report(ledger, number, index, 0.125 * index)


def end(ledger: StudyLedger, number: int, state: str) -> None:
    ledger.end(ledger.record.trials[number], state, "")


def follow(ledger: StudyLedger, uri: str) -> Tracker:
    """Starts tracking, as a driver does."""
    tracker = Tracker(ledger, uri, Subject(ledger.folder.path.name))
    ledger.listeners = [tracker]
    tracker.update(ledger.record)
    return tracker


@pytest.fixture
def other_ledger(tmp_path: Path, open_ledger: OpenLedger) -> StudyLedger:
    """A second study."""
    spec = open_ledger().spec
    ledger = StudyLedger(open_folder(tmp_path / "runs" / "other", dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name="other", spec="spec.yaml"))
    return ledger


@pytest.mark.slow
def test_a_killed_and_restarted_server_has_every_run_and_report_once(
    server: Server,
    open_ledger: OpenLedger,
    other_ledger: StudyLedger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tracking, "RETRY_SECONDS", 0.5)
    # One study runs until the server is back; the other stops before, and is resumed.
    ledger, stopped = open_ledger(), other_ledger
    tracker, given_up = follow(ledger, server.uri), follow(stopped, server.uri)
    for number in range(2):
        create(ledger, number)
        report_up_to(ledger, number, 1 + number)
    end(ledger, 0, "pruned")
    create(stopped, 0)
    report_up_to(stopped, 0, 1)
    children_by_trial = {0: ("KILLED", scores(1)), 1: ("RUNNING", scores(2))}
    until(lambda: read(ledger, server.uri) == (["RUNNING"], children_by_trial))
    until(lambda: read(stopped, server.uri) == (["RUNNING"], {0: ("RUNNING", scores(1))}))

    server.kill()
    report_up_to(ledger, 1, 4)
    end(ledger, 1, "complete")
    create(ledger, 2)
    report_up_to(ledger, 2, 1)
    until(lambda: "does not accept results" in caplog.text)
    report_up_to(stopped, 0, 2)
    create(stopped, 1)
    given_up.close(stopped.record, "KILLED")
    assert "lacks results" in caplog.text
    report_up_to(stopped, 0, 3)  # Only in the journal.

    server.start()
    until(lambda: "accepts results again" in caplog.text)
    report_up_to(ledger, 2, 2)
    end(ledger, 2, "failed")
    tracker.close(ledger.record, "FINISHED")
    assert read(ledger, server.uri) == (
        ["FINISHED"],
        {0: ("KILLED", scores(1)), 1: ("FINISHED", scores(4)), 2: ("FAILED", scores(2))},
    )
    resumed = StudyLedger(stopped.folder, stopped.spec)
    follow(resumed, server.uri).close(resumed.record, "KILLED")
    children_by_trial = {0: ("KILLED", scores(3)), 1: ("KILLED", [])}
    assert read(resumed, server.uri) == (["KILLED"], children_by_trial)
