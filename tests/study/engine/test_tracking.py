"""MLflow: runs, parameters, metrics and states, once each, whatever happens in between."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ledgers import OpenLedger, create, report
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from study.engine.ledger import StudyLedger
from study.engine.tracking import STUDY_TAG, TRIAL_TAG, Tracker, check_tracking_uri
from study.errors import InputError


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One sqlite database for all tests: creating its tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> StudyLedger:
    return open_ledger()


def runs(tracker: Tracker) -> tuple[list, list]:
    """Returns (parents, children in the order of their trials) of the tracker's study."""
    found = tracker._search(f"tags.`{STUDY_TAG}` = '{tracker._study_key}'")
    children = [run for run in found if TRIAL_TAG in run.data.tags]
    parents = [run for run in found if TRIAL_TAG not in run.data.tags]
    return parents, sorted(children, key=lambda run: int(run.data.tags[TRIAL_TAG]))


def three_trials(ledger: StudyLedger) -> None:
    for number, state in enumerate(["complete", "pruned", "failed"]):
        create(ledger, number)
        report(ledger, number, 1, 0.25 + number)
        ledger.end(ledger.record.trials[number], state, f"because {number}")


def test_a_study_is_a_parent_run_with_a_child_a_trial_in_the_right_state(
    ledger: StudyLedger, database: str
) -> None:
    tracker = Tracker(ledger.folder, database, "a study")
    ledger.listeners.append(tracker)
    three_trials(ledger)
    tracker.close(ledger.record, "FINISHED")
    [parent], children = runs(tracker)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "a study"
    assert [run.info.status for run in children] == ["FINISHED", "KILLED", "FAILED"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert [run.data.tags["reason"] for run in children] == [f"because {n}" for n in range(3)]


def test_parameters_have_the_names_of_the_yaml_and_metrics_their_steps(
    ledger: StudyLedger, database: str
) -> None:
    tracker = Tracker(ledger.folder, database, "a study")
    ledger.listeners.append(tracker)
    create(ledger, 0)
    for index, value in enumerate([0.25, 0.5], start=1):
        report(ledger, 0, index, value)
    _, [child] = runs(tracker)
    assert child.data.params["b0"] == "6"
    assert child.data.params["bT"] == "3"
    assert child.data.params["seed_mask"] == "0"
    client = MlflowClient(tracking_uri=database)
    history = client.get_metric_history(child.info.run_id, "dev_mcc")
    assert [(m.step, m.value) for m in history] == [(10, 0.25), (20, 0.5)]


def test_an_interrupted_study_is_adopted_and_nothing_is_doubled(
    ledger: StudyLedger, open_ledger: OpenLedger, database: str
) -> None:
    before = Tracker(ledger.folder, database, "a study")
    ledger.listeners.append(before)
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    ledger.listeners.clear()  # The driver dies here; what follows reaches the journal alone.
    report(ledger, 0, 2, 0.5)
    create(ledger, 1)
    resumed = open_ledger()
    after = Tracker(resumed.folder, database, "a study")
    after.bring_up_to_date(resumed.record)
    after.bring_up_to_date(resumed.record)
    resumed.end(resumed.record.trials[0], "complete", "")
    resumed.end(resumed.record.trials[1], "failed", "crashed")
    after.close(resumed.record, "FINISHED")
    parents, children = runs(after)
    assert [len(parents), len(children)] == [1, 2]
    assert [run.info.status for run in children] == ["FINISHED", "FAILED"]
    client = MlflowClient(tracking_uri=database)
    history = client.get_metric_history(children[0].info.run_id, "dev_mcc")
    assert [(m.step, m.value) for m in history] == [(10, 0.25), (20, 0.5)]


def test_two_studies_of_one_name_on_one_server_stay_apart(
    ledger: StudyLedger, database: str, tmp_path: Path
) -> None:
    first = Tracker(ledger.folder, database, "a study")
    ledger.journal.path.unlink()
    ledger.note("study", version=1, name="a study", spec="spec.yaml")
    second = Tracker(ledger.folder, database, "a study")
    assert runs(first)[0][0].info.run_id != runs(second)[0][0].info.run_id


def test_a_metric_that_is_not_finite_is_left_out(ledger: StudyLedger, database: str) -> None:
    tracker = Tracker(ledger.folder, database, "a study")
    create(ledger, 0)
    report(ledger, 0, 1, None)
    tracker.bring_up_to_date(ledger.record)
    _, [child] = runs(tracker)
    assert "dev_mcc" not in child.data.metrics
    assert child.data.metrics["train_loss"] == 0.5


def test_the_winners_files_are_artifacts_of_its_run(ledger: StudyLedger, tmp_path: Path) -> None:
    tracker = Tracker(ledger.folder, None, "a study")
    create(ledger, 0)
    report(ledger, 0, 4, 0.5)
    ledger.end(ledger.record.trials[0], "complete", "")
    ledger.note("winner", trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4})
    ledger.folder.best.mkdir()
    (ledger.folder.best / "budget_trace.json").write_text("[]")
    tracker.close(ledger.record, "FINISHED", artifacts=ledger.folder.best)
    [parent], [child] = runs(tracker)
    assert parent.data.metrics["test_mcc"] == 0.4
    client = MlflowClient(tracking_uri=tracker.uri)
    [artifact] = client.list_artifacts(child.info.run_id, "best")
    assert artifact.path == "best/budget_trace.json"
    assert ledger.folder.mlflow.exists()


def test_a_server_that_fails_does_not_stop_the_study_and_is_caught_up_with(
    ledger: StudyLedger, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(ledger.folder, database, "a study")
    ledger.listeners.append(tracker)
    create(ledger, 0)

    def fail(*arguments: object, **named: object) -> None:
        raise MlflowException("the server is away")

    with monkeypatch.context() as broken:
        broken.setattr(tracker._client, "log_batch", fail)
        report(ledger, 0, 1, 0.25)
        report(ledger, 0, 2, 0.5)
        tracker.close(ledger.record, "KILLED")
    assert len(ledger.record.trials[0].reports) == 2
    tracker.bring_up_to_date(ledger.record)
    _, [child] = runs(tracker)
    history = tracker._client.get_metric_history(child.info.run_id, "dev_mcc")
    assert [m.value for m in history] == [0.25, 0.5]


def test_a_database_keeps_its_artifacts_beside_itself(tmp_path: Path, ledger: StudyLedger) -> None:
    (tmp_path / "elsewhere").mkdir()
    check_tracking_uri(f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    with pytest.raises(InputError, match="must lie in a folder that can be written"):
        check_tracking_uri(f"sqlite:///{tmp_path}/nowhere/mlflow.db")


def test_parameters_that_a_dead_driver_did_not_write_are_written_on_resume(
    ledger: StudyLedger, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Tracker(ledger.folder, database, "a study")
    create(ledger, 0)
    with monkeypatch.context() as broken:
        broken.setattr(before, "_log_params", lambda trial: None)
        before.bring_up_to_date(ledger.record)
    after = Tracker(ledger.folder, database, "a study")
    after.bring_up_to_date(ledger.record)
    _, [child] = runs(after)
    assert child.data.params["b0"] == "6"


# The address


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == "/health" or self.path.startswith("/api/2.0/mlflow/experiments/")
        self.send_response(200 if known else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Healthy) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_server_that_answers_is_accepted(server: str) -> None:
    check_tracking_uri(server)
    check_tracking_uri(server + "/")


def test_a_server_that_does_not_answer_is_refused(server: str) -> None:
    with pytest.raises(InputError, match=r"must answer at /health, .* but: "):
        check_tracking_uri("http://127.0.0.1:9")
    with pytest.raises(InputError, match="Not Found"):
        check_tracking_uri(server + "/elsewhere")


def test_a_server_that_is_no_mlflow_or_wants_a_password_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Polite(_Healthy):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Basic bWU6c2VjcmV0"  # me:secret
            self.send_response(200 if known or self.path == "/health" else 401)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Polite) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        with pytest.raises(InputError, match=r"its experiments, but: Unauthorized"):
            check_tracking_uri(f"http://127.0.0.1:{http.server_port}")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
        check_tracking_uri(f"http://127.0.0.1:{http.server_port}")
        http.shutdown()
        thread.join()


def test_a_service_that_does_not_speak_http_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            connection, _ = other.accept()
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with pytest.raises(InputError, match=r"must answer at /health"):
            check_tracking_uri(f"http://127.0.0.1:{other.getsockname()[1]}")
        thread.join()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are no runs")
    with pytest.raises(InputError, match="the file must be a sqlite database"):
        check_tracking_uri(f"sqlite:///{tmp_path}/notes.txt")


@pytest.mark.parametrize(
    "uri",
    [
        "mlruns",
        "file:///tmp/runs",
        "ftp://host",
        "http://",
        "http://localhost:abc",
        "http://a b",
    ],
)
def test_an_address_that_is_no_servers_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match=r"--tracking-uri"):
        check_tracking_uri(uri)
