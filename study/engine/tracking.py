"""MLflow, brought up to date with the record: a parent run a study, a child run a trial.

What MLflow holds is compared with the record and the difference is written, in one `log_batch` a
report. Saying the same thing twice therefore does nothing, and a run that an interrupted driver
left behind is adopted by its tags instead of doubled. Only the driver writes.
"""

import base64
import functools
import http.client
import json
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from study.deadline import within
from study.engine.folder import StudyFolder
from study.engine.journal import Event
from study.engine.record import StudyRecord, TrialRecord
from study.errors import InputError

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "running": "RUNNING"}
_EXPERIMENTS = "/api/2.0/mlflow/experiments/search?max_results=1"
STUDY_TAG, TRIAL_TAG = "adalora_rs.study", "adalora_rs.trial"
# A server that has stopped answering is asked again after this many seconds, not at every report.
RETRY_SECONDS = 30.0


def check_tracking_uri(uri: str) -> None:
    """Checks that a tracking server answers, within two seconds and without importing MLflow.

    Raises:
        InputError: the address is not a server's or a sqlite database's, or nothing answers.
    """
    scheme = urlsplit(uri).scheme
    database = _database(uri)
    if database is not None:
        if not database.parent.is_dir() or not os.access(database.parent, os.W_OK):
            raise InputError(
                f"--tracking-uri {uri}: the database must lie in a folder that can be written, "
                f"but {database.parent} is none; create it, or leave the option out"
            )
        if database.is_file() and _start_of(database) not in (b"", b"SQLite format 3"):
            raise InputError(
                f"--tracking-uri {uri}: the file must be a sqlite database, but {database} is "
                "something else; give another name"
            )
        return
    if scheme not in ("http", "https"):
        raise InputError(
            f"--tracking-uri {uri}: it must start with http://, https:// or sqlite:///, as MLflow "
            "stores files no longer; leave it out for a database in the study folder"
        )
    base = uri.rstrip("/")
    try:
        # Something else may answer at /health too, or refuse whoever has no password.
        for path in ("/health", _EXPERIMENTS):
            question = urllib.request.Request(base + path, headers=_credentials())
            within(1.5, functools.partial(_ask, question))
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # It holds the connection.
        reason = getattr(error, "reason", error) or type(error).__name__
        raise InputError(
            f"--tracking-uri {uri}: a tracking server must answer at /health, and to questions "
            f"about its experiments, but: {reason}; "
            "start it (mlflow server), mend the address, or leave the option out"
        ) from None


class Tracker:
    """Writes what a study's record holds and MLflow does not."""

    def __init__(self, folder: StudyFolder, uri: str | None, study: str) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient

        # After the import, which sets levels of its own: the set-up chatter of a new database.
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)

        self.uri = uri or f"sqlite:///{folder.mlflow}"
        self._client = MlflowClient(tracking_uri=self.uri)
        self._experiment = self._adopt_experiment()
        self._study_key = _study_key(folder)
        self._children: dict[int, str] = {}
        self._without_params: set[int] = set()
        self._logged: dict[int, int] = {}
        self._closed: set[int] = set()
        self._retry_at = 0.0
        self._parent = self._adopt_parent(study)
        self._adopt_children()

    # Listening

    def __call__(self, event: Event, record: StudyRecord) -> None:
        """Brings MLflow up to date after an event.

        A server that fails does not stop the study: what is missing is sent at a later event, or
        by the next `--resume`.
        """
        if time.monotonic() >= self._retry_at:
            self._try(lambda: self.bring_up_to_date(record))

    def _try(self, write: Callable[[], None]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            write()
        except (MlflowException, OSError) as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            logging.getLogger(__name__).warning(
                "MLflow at %s does not take results at present (%s); the study goes on, and what "
                "is missing is sent later or by --resume",
                self.uri,
                str(error).splitlines()[0],
            )

    def bring_up_to_date(self, record: StudyRecord) -> None:
        """Writes every run, parameter, metric and state that is missing."""
        for trial in record.trials.values():
            if trial.number in self._closed:
                continue
            self._ensure_child(trial)
            self._log_reports(trial)
            if trial.state != "running":
                run = self._children[trial.number]
                self._client.set_tag(run, "reason", trial.reason)
                ended = None if trial.ended is None else int(trial.ended * 1000)
                self._client.set_terminated(run, STATUS[trial.state], end_time=ended)
                self._closed.add(trial.number)

    def close(self, record: StudyRecord, status: str, artifacts: Path | None = None) -> None:
        """Ends the parent run as FINISHED, FAILED or KILLED (interrupted).

        With `artifacts`, the winner's files are kept with its child.
        """
        self._try(lambda: self._close(record, status, artifacts))

    def _close(self, record: StudyRecord, status: str, artifacts: Path | None) -> None:
        self.bring_up_to_date(record)
        winner = record.winner
        if winner is not None:
            self._client.set_tag(self._parent, "winner", str(winner["trial"]))
            self._client.log_batch(self._parent, metrics=self._metrics(_flat(winner), 0, winner))
            if artifacts is not None:
                child = self._children[winner["trial"]]
                self._client.log_artifacts(child, str(artifacts), artifact_path="best")
        self._client.set_terminated(self._parent, status)

    # Runs

    def _adopt_experiment(self) -> str:
        found = self._client.get_experiment_by_name("adalora-rs-study")
        if found is not None:
            return str(found.experiment_id)
        database = _database(self.uri)
        location = (database.parent / "mlartifacts").as_uri() if database else None
        return str(self._client.create_experiment("adalora-rs-study", artifact_location=location))

    def _adopt_parent(self, study: str) -> str:
        found = self._search(f"tags.`{STUDY_TAG}` = '{self._study_key}'")
        parents = [run for run in found if TRIAL_TAG not in run.data.tags]
        if parents:
            run_id = str(parents[0].info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        tags = {STUDY_TAG: self._study_key}
        run = self._client.create_run(self._experiment, tags=tags, run_name=study)
        return str(run.info.run_id)

    def _adopt_children(self) -> None:
        for run in self._search(f"tags.`{STUDY_TAG}` = '{self._study_key}'"):
            if TRIAL_TAG in run.data.tags:
                number = int(run.data.tags[TRIAL_TAG])
                self._children[number] = str(run.info.run_id)
                self._logged[number] = int(run.data.metrics.get("report", 0))
                if not run.data.params:
                    self._without_params.add(number)
                elif run.info.status != "RUNNING":
                    self._closed.add(number)

    def _search(self, query: str) -> list[Any]:
        runs: list[Any] = []
        token = None
        while token != "":
            page = self._client.search_runs(
                [self._experiment], query, max_results=1000, page_token=token
            )
            runs.extend(page)
            token = page.token or ""
        return runs

    def _ensure_child(self, trial: TrialRecord) -> None:
        if trial.number not in self._children:
            self._create_child(trial)
        if trial.number in self._without_params:
            self._log_params(trial)

    def _create_child(self, trial: TrialRecord) -> None:
        run = self._client.create_run(
            self._experiment,
            start_time=int(trial.created * 1000),
            run_name=f"trial {trial.number}",
            tags={
                "mlflow.parentRunId": self._parent,
                STUDY_TAG: self._study_key,
                TRIAL_TAG: str(trial.number),
            },
        )
        self._children[trial.number] = str(run.info.run_id)
        self._logged[trial.number] = 0
        self._without_params.add(trial.number)

    def _log_params(self, trial: TrialRecord) -> None:
        from mlflow.entities import Param

        seeds = {f"seed_{name}": seed for name, seed in trial.seeds.items()}
        values = trial.params | trial.settings | seeds | {"total_steps": trial.total_steps}
        params = [Param(name, _text(value)) for name, value in values.items()]
        self._client.log_batch(self._children[trial.number], params=params)
        self._without_params.discard(trial.number)

    def _log_reports(self, trial: TrialRecord) -> None:
        for report in trial.reports[self._logged[trial.number] :]:
            values = report["metrics"] | {"report": report["report"]}
            metrics = self._metrics(values, report["step"], report)
            self._client.log_batch(self._children[trial.number], metrics=metrics)
            self._logged[trial.number] = report["report"]

    def _metrics(self, values: dict[str, Any], step: int, event: Event) -> list[Any]:
        from mlflow.entities import Metric

        timestamp = int(event["time"] * 1000)
        return [
            Metric(name, float(value), timestamp, step)
            for name, value in values.items()
            if isinstance(value, int | float)
        ]


def _database(uri: str) -> Path | None:
    """The file of a sqlite address, None for any other."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)).absolute() if uri.startswith(prefix) else None


def _flat(winner: Event) -> dict[str, Any]:
    return {k: v for split in ("dev", "test") for k, v in winner[split].items()}


def _ask(question: urllib.request.Request) -> None:
    urllib.request.urlopen(question).close()


def _credentials() -> dict[str, str]:
    """The header that MLflow's client sends, from the variables that it reads."""
    user, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN")
    )
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _start_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(15)


def _study_key(folder: StudyFolder) -> str:
    """Identifies the study on a server that many share: where it is and when it began."""
    first = folder.journal.read_text(encoding="utf-8").splitlines()[0]
    return f"{folder.path.name}-{json.loads(first)['time']:.3f}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
