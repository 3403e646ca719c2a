"""MLflow runs: parameters, metrics and states, without duplicates after failures."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from study.engine.tracking import runs as tracking_runs
from study.engine.tracking.database import sqlite_uri
from study.engine.tracking.outage import FilesError
from study.engine.tracking.runs import KIND, KIND_TAG, TRIAL_TAG, StudyRuns, study_key
from study.engine.tracking.subject import FIRST_EXPERIMENT, of_study
from study.engine.tracking.summary import Summary, summary_of
from study.storage.events import BaselineMeasured, Report, StudyOpened, WinnerEvaluated
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create, report


class Client:
    """A client of MLflow that counts requests and can lose one, or its response."""

    def __init__(self, uri: str) -> None:
        self._client = MlflowClient(tracking_uri=uri)
        self.requests: Counter[str] = Counter()
        self.lost = ""
        """The name of the next request to fail."""
        self.reaches_server = False
        """Whether the lost request is executed."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*arguments: object, **named: object) -> Any:
            self.requests[name] += 1
            if name != self.lost:
                return getattr(self._client, name)(*arguments, **named)
            self.lost = ""
            if self.reaches_server:
                getattr(self._client, name)(*arguments, **named)
            raise MlflowException("the server is away")

        return ask


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One sqlite database for all tests, since creating its tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> StudyLedger:
    return open_ledger()


@pytest.fixture
def client(database: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client of all runs that a test opens."""
    client = Client(database)
    monkeypatch.setattr(tracking_runs, "open_client", lambda uri: client)
    return client


@pytest.fixture
def runs(client: Client, ledger: StudyLedger, database: str) -> StudyRuns:
    return adopted(ledger, database)


def adopted(ledger: StudyLedger, database: str) -> StudyRuns:
    """Adopts the runs of a study, as a driver does at its start."""
    runs = StudyRuns(database, study_key(ledger.folder, ledger.record), of_study(ledger))
    runs.adopt()
    return runs


def write(runs: StudyRuns, ledger: StudyLedger, final: bool = False) -> None:
    runs.write(ledger.record.trials.values(), final)


def evaluate_winner(ledger: StudyLedger) -> None:
    """A trial that ends, wins and is evaluated on test."""
    create(ledger, 0)
    report(ledger, 0, 4, 0.5)
    ledger.end(ledger.record.trials[0], "complete", "")
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4}))


def summary(ledger: StudyLedger) -> Summary:
    found = summary_of(ledger)
    assert found is not None
    return found


def save_file(ledger: StudyLedger) -> None:
    ledger.folder.best.mkdir()
    (ledger.folder.best / "budget_trace.json").write_text("[]")


def found(runs: StudyRuns) -> tuple[list, list]:
    """Returns (parents, children in the order of their trials) of the study."""
    all_runs = runs.search()
    children = [run for run in all_runs if TRIAL_TAG in run.data.tags]
    parents = [run for run in all_runs if TRIAL_TAG not in run.data.tags]
    return parents, sorted(children, key=lambda run: int(run.data.tags[TRIAL_TAG]))


def history(client: Client, run: Any, metric: str = "dev_mcc") -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, metric)]


def test_a_study_is_a_parent_run_and_each_trial_a_child_with_its_state(
    runs: StudyRuns, ledger: StudyLedger
) -> None:
    for number, state in enumerate(["complete", "pruned", "failed"]):
        create(ledger, number)
        report(ledger, number, 1, 0.25 + number)
        ledger.end(ledger.record.trials[number], state, f"because {number}")
        write(runs, ledger)
    runs.end("FINISHED")
    [parent], children = found(runs)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "a study"
    assert [run.info.status for run in children] == ["FINISHED", "KILLED", "FAILED"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert [run.data.tags["reason"] for run in children] == [f"because {n}" for n in range(3)]
    ended = [int(ledger.record.trials[n].ended * 1000) for n in range(3)]
    assert [run.info.end_time for run in children] == ended


def test_parameters_have_the_names_of_the_yaml_and_metrics_have_steps(
    runs: StudyRuns, ledger: StudyLedger, client: Client
) -> None:
    create(ledger, 0)
    for index, value in enumerate([0.25, 0.5], start=1):
        report(ledger, 0, index, value)
        write(runs, ledger)
    _, [child] = found(runs)
    assert child.data.params["b0"] == "6"
    assert child.data.params["bT"] == "3"
    assert child.data.params["seed_mask"] == "0"
    assert history(client, child) == [(10, 0.25), (20, 0.5)]


def test_a_trial_needs_one_request_per_report_one_to_create_and_one_to_end_it(
    runs: StudyRuns, ledger: StudyLedger, client: Client
) -> None:
    client.requests.clear()
    create(ledger, 0)
    write(runs, ledger)  # Parameters wait for the first report.
    report(ledger, 0, 1, 0.25)
    write(runs, ledger)
    write(runs, ledger)
    report(ledger, 0, 2, 0.5)
    ledger.end(ledger.record.trials[0], "pruned", "below the rung")
    write(runs, ledger)
    write(runs, ledger)
    assert client.requests == {"create_run": 1, "log_batch": 2, "set_terminated": 1}
    _, [child] = found(runs)
    assert child.data.tags["reason"] == "below the rung"
    assert child.data.params["b0"] == "6"


def test_queued_reports_are_sent_in_batches_of_the_size_that_mlflow_accepts(
    runs: StudyRuns, ledger: StudyLedger, client: Client
) -> None:
    client.requests.clear()
    create(ledger, 0, reports=700)
    for index in range(1, 601):
        report(ledger, 0, index, 0.25)
    ledger.end(ledger.record.trials[0], "failed", "crashed")
    write(runs, ledger)
    assert client.requests == {"create_run": 1, "log_batch": 3, "set_terminated": 1}
    _, [child] = found(runs)
    assert history(client, child, "report") == [(10 * n, n) for n in range(1, 601)]
    assert child.data.tags["reason"] == "crashed"


def test_a_trial_that_failed_before_its_first_report_has_its_parameters_and_the_reason(
    runs: StudyRuns, ledger: StudyLedger, client: Client
) -> None:
    client.requests.clear()
    create(ledger, 0)
    ledger.end(ledger.record.trials[0], "failed", "crashed")
    write(runs, ledger)
    assert client.requests == {"create_run": 1, "log_batch": 1, "set_terminated": 1}
    _, [child] = found(runs)
    assert (child.data.params["b0"], child.data.tags["reason"]) == ("6", "crashed")


# Adoption


def test_a_resume_adopts_the_runs_of_an_interrupted_study_without_duplicates(
    runs: StudyRuns,
    ledger: StudyLedger,
    open_ledger: OpenLedger,
    client: Client,
    database: str,
) -> None:
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    write(runs, ledger)
    # The driver dies here; what follows reaches only the journal.
    report(ledger, 0, 2, 0.5)
    create(ledger, 1)
    resumed = open_ledger()
    after = adopted(resumed, database)
    write(after, resumed)
    write(after, resumed)
    resumed.end(resumed.record.trials[0], "complete", "")
    resumed.end(resumed.record.trials[1], "failed", "crashed")
    write(after, resumed)
    after.end("FINISHED")
    parents, children = found(after)
    assert [len(parents), len(children)] == [1, 2]
    assert [run.info.status for run in children] == ["FINISHED", "FAILED"]
    assert history(client, children[0]) == [(10, 0.25), (20, 0.5)]


def test_adopting_complete_runs_writes_nothing(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    evaluate_winner(ledger)
    write(runs, ledger, final=True)
    runs.end("FINISHED", summary(ledger))
    ended = found(runs)[0][0].info.end_time
    client.requests.clear()
    after = adopted(ledger, database)
    write(after, ledger, final=True)
    after.end("FINISHED", summary(ledger))
    assert client.requests == {"get_experiment_by_name": 1, "search_runs": 1}
    assert found(runs)[0][0].info.end_time == ended


@pytest.mark.parametrize("reaches", [True, False])
@pytest.mark.parametrize("request_", ["create_run", "log_batch", "set_terminated"])
def test_a_lost_request_or_response_causes_no_duplicate_and_no_loss(
    runs: StudyRuns, ledger: StudyLedger, client: Client, request_: str, reaches: bool
) -> None:
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    ledger.end(ledger.record.trials[0], "pruned", "below the rung")
    client.lost, client.reaches_server = request_, reaches
    with pytest.raises(MlflowException, match="away"):
        write(runs, ledger)
    runs.forget()
    runs.adopt()
    write(runs, ledger)
    _, [child] = found(runs)
    assert history(client, child) == [(10, 0.25)]
    assert (child.info.status, child.data.tags["reason"]) == ("KILLED", "below the rung")


def test_duplicate_runs_are_deleted_and_the_one_with_more_reports_is_kept(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    runs._create_child(ledger.record.trials[0])
    runs._adopt_parent([])  # As by a driver that never saw the first one's answer.
    write(runs, ledger)
    after = adopted(ledger, database)
    parents, children = found(after)
    assert [len(parents), len(children)] == [1, 1]
    assert history(client, children[0]) == [(10, 0.25)]
    assert children[0].data.tags["mlflow.parentRunId"] == parents[0].info.run_id


def test_an_interrupted_trial_is_killed_in_mlflow_and_running_after_a_resume(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    create(ledger, 0)
    write(runs, ledger)
    write(runs, ledger, final=True)
    runs.end("KILLED")
    [parent], [child] = found(runs)
    assert [parent.info.status, child.info.status] == ["KILLED", "KILLED"]
    assert child.data.params["b0"] == "6"
    after = adopted(ledger, database)
    write(after, ledger)
    [parent], [child] = found(after)
    assert [parent.info.status, child.info.status] == ["RUNNING", "RUNNING"]
    # The run looks ended, but MLflow does not record why a run was killed.
    write(after, ledger, final=True)
    report(ledger, 0, 1, 0.25)
    ledger.end(ledger.record.trials[0], "pruned", "below the rung")
    write(adopted(ledger, database), ledger, final=True)
    _, [child] = found(after)
    assert history(client, child) == [(10, 0.25)]
    assert child.info.end_time == int(ledger.record.trials[0].ended * 1000)


def test_deleted_runs_are_written_again(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    for number in range(2):
        create(ledger, number)
        report(ledger, number, 1, 0.25)
    write(runs, ledger)
    [parent], [child, _] = found(runs)
    client.delete_run(parent.info.run_id)
    client.delete_run(child.info.run_id)
    write(adopted(ledger, database), ledger)
    [new], children = found(runs)
    assert new.info.run_id != parent.info.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {new.info.run_id}
    assert [history(client, run) for run in children] == [[(10, 0.25)]] * 2


def test_a_deleted_experiment_is_restored(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    client.delete_experiment(client.get_experiment_by_name(FIRST_EXPERIMENT).experiment_id)
    after = adopted(ledger, database)
    assert [run.info.lifecycle_stage for run in after.search()] == ["active"]


def test_a_database_that_was_never_complete_is_replaced_and_gets_everything(
    ledger: StudyLedger, tmp_path: Path
) -> None:
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE experiments (name)")
        connection.execute("CREATE TABLE _alembic_tmp_runs (name)")
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    runs = adopted(ledger, sqlite_uri(file))
    write(runs, ledger)
    _, [child] = found(runs)
    assert child.data.metrics["dev_mcc"] == 0.25


def test_parameters_missing_after_a_kill_are_written_on_resume(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    create(ledger, 0)
    write(runs, ledger)
    report(ledger, 0, 1, 0.25)
    write(adopted(ledger, database), ledger)
    _, [child] = found(runs)
    assert child.data.params["b0"] == "6"


def test_two_studies_of_the_same_name_on_one_server_have_separate_runs(
    runs: StudyRuns, ledger: StudyLedger, database: str
) -> None:
    ledger.journal.path.unlink()
    other = StudyLedger(ledger.folder, ledger.spec)
    other.append(StudyOpened(version=1, name="a study", spec="spec.yaml"))
    second = adopted(other, database)
    assert found(runs)[0][0].info.run_id != found(second)[0][0].info.run_id


def test_a_metric_that_is_not_finite_is_left_out(runs: StudyRuns, ledger: StudyLedger) -> None:
    create(ledger, 0)
    report(ledger, 0, 1, None)
    write(runs, ledger)
    _, [child] = found(runs)
    assert "dev_mcc" not in child.data.metrics
    assert child.data.metrics["train_loss"] == 0.5


def test_the_parent_has_the_result_and_its_files_beside_the_database(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    evaluate_winner(ledger)
    save_file(ledger)
    ledger.folder.report.write_text("a page")
    scores = {"dev_mcc": 0.25, "test_mcc": 0.125, "test_auc": 0.75}
    ledger.append(BaselineMeasured(name="cnn", scores=scores))
    write(runs, ledger, final=True)
    runs.end("FINISHED", summary(ledger))
    [parent], _ = found(runs)
    data = parent.data
    assert (data.metrics["test_mcc"], data.metrics["score"]) == (0.4, 0.5)
    baselines = {name: value for name, value in data.metrics.items() if "baseline" in name}
    assert baselines == {"baseline_cnn_dev_mcc": 0.25, "baseline_cnn_test_mcc": 0.125}
    assert data.params.items() >= {("method", "adalora_rs"), ("b0", "6"), ("winner", "0")}
    assert data.tags["mlflow.note.content"].startswith("**dev_mcc 0.5000; test_mcc 0.4000** (of")
    paths = [one.path for one in client.list_artifacts(parent.info.run_id)]
    assert paths == ["best", "report.html"]
    beside = Path(database.removeprefix("sqlite:///")).parent / "mlartifacts"
    assert [file.name for file in beside.rglob("*.json")] == ["budget_trace.json"]


def test_a_study_with_another_winner_has_a_new_parent_with_its_settings(
    runs: StudyRuns, ledger: StudyLedger, client: Client, database: str
) -> None:
    evaluate_winner(ledger)
    write(runs, ledger, final=True)
    runs.end("FINISHED", summary(ledger))
    create(ledger, 1)
    ledger.record.trials[1].settings["p"] = 0.25
    report(ledger, 1, 1, 0.75)
    ledger.end(ledger.record.trials[1], "complete", "")
    ledger.append(WinnerEvaluated(trial=1, dev={"dev_mcc": 0.75}, test={"test_mcc": 0.5}))
    after = adopted(ledger, database)
    write(after, ledger, final=True)
    after.end("FINISHED", summary(ledger))
    [parent], children = found(after)
    assert (parent.data.params["winner"], parent.data.params["p"]) == ("1", "0.25")
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    client.requests.clear()
    again = adopted(ledger, database)
    again.end("FINISHED", summary(ledger))
    assert client.requests == {"get_experiment_by_name": 1, "search_runs": 1}


def test_runs_sort_by_score_and_those_that_were_stopped_have_none(
    runs: StudyRuns, ledger: StudyLedger, client: Client
) -> None:
    for number, (state, value) in enumerate(
        [("complete", 0.5), ("pruned", 0.7), ("complete", 0.6), ("failed", 0.9)]
    ):
        create(ledger, number)
        report(ledger, number, 1, value)
        ledger.end(ledger.record.trials[number], state, "")
    write(runs, ledger)
    order = client.search_runs(
        [runs._experiment],
        f"tags.`adalora_rs.study` = '{runs.key}' and tags.`{TRIAL_TAG}` != ''",
        order_by=["metrics.score DESC"],
    )
    assert [run.data.tags["state"] for run in order[:2]] == ["complete", "complete"]
    assert [run.data.metrics.get("score") for run in order] == [0.6, 0.5, None, None]
    assert {run.data.tags["state"] for run in order[2:]} == {"stopped early", "failed"}


def test_a_trial_is_named_by_number_and_settings_and_says_what_it_trains(
    runs: StudyRuns, ledger: StudyLedger
) -> None:
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    write(runs, ledger)
    _, [child] = found(runs)
    assert child.info.run_name == "trial 0: b0=6, bT=3, p=0.1, lr=0.001"
    names = ("backbone", "task", "method")
    expected = ["opt-dna-mini", "promoters", "adalora_rs"]
    assert [child.data.params[name] for name in names] == expected


def test_the_use_of_a_workers_machine_is_among_the_system_metrics(
    runs: StudyRuns, ledger: StudyLedger, client: Client
) -> None:
    create(ledger, 0)
    for index, percent in enumerate([40.0, 60.0], start=1):
        system = {"cpu_utilization_percentage": percent}
        metrics = {"dev_mcc": 0.5, "train_loss": 0.5}
        ledger.append(
            Report(trial=0, report=index, step=10 * index, metrics=metrics, system=system)
        )
    write(runs, ledger)
    _, [child] = found(runs)
    name = "system/cpu_utilization_percentage"
    assert history(client, child, name) == [(10, 40.0), (20, 60.0)]


def test_an_experiment_shows_the_pages_for_the_training_of_models(
    runs: StudyRuns, client: Client
) -> None:
    assert client.get_experiment(runs._experiment).tags[KIND_TAG] == KIND


def test_a_storage_that_refuses_the_winners_files_leaves_no_run_running_and_gets_them_later(
    runs: StudyRuns,
    ledger: StudyLedger,
    client: Client,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    evaluate_winner(ledger)
    save_file(ledger)
    write(runs, ledger, final=True)
    with monkeypatch.context() as patch:
        patch.setattr(client._client, "log_artifacts", refuse)
        with pytest.raises(FilesError, match=r"^file://.*artifacts$"):
            runs.end("FINISHED", summary(ledger))
    [parent], [child] = found(runs)
    assert [run.info.status for run in (parent, child)] == ["FINISHED", "FINISHED"]
    assert parent.data.tags["winner"] == "0"
    for stored in (1, 0):  # The second time they are there.
        client.requests.clear()
        again = adopted(ledger, database)
        write(again, ledger, final=True)
        again.end("FINISHED", summary(ledger))
        assert client.requests["log_artifacts"] == stored
    assert [one.path for one in client.list_artifacts(parent.info.run_id, "best")] == [
        "best/budget_trace.json"
    ]


def test_a_trial_that_was_lost_and_suggested_again_gets_a_new_run(
    runs: StudyRuns, ledger: StudyLedger, database: str, client: Client
) -> None:
    for number in range(2):
        create(ledger, number)
        report(ledger, number, 1, 0.5)
    write(runs, ledger, final=True)
    before = {r.data.tags.get(TRIAL_TAG): r.info.run_id for r in runs.search()}
    # An older copy of the journal is put back, and the second trial has another p this time.
    ledger.record.trials[1].settings["p"] = 0.25
    again = adopted(ledger, database)
    write(again, ledger, final=True)
    write(again, ledger, final=True)
    after = {r.data.tags.get(TRIAL_TAG): r for r in again.search()}
    assert {number: run.info.run_id for number, run in after.items() if number != "1"} == {
        number: run_id for number, run_id in before.items() if number != "1"
    }
    assert after["1"].info.run_id != before["1"]
    assert after["1"].data.params["p"] == "0.25"
    assert client.requests["delete_run"] == 1
