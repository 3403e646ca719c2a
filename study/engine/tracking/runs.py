"""The runs of one study in MLflow: a parent run with a child run for every trial.

`adopt` reads the runs that exist; from then on only what they lack is written, so that writing
twice has no effect. After a failure the state of the server is unknown, as only the response may
have been lost: `forget`, then `adopt` again.

Requests: one to create a child, at most one per report, one to end it. Parameters are sent with
the first report, the reason of the end with the last.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.engine.tracking.client import open_client
from study.engine.tracking.creation import create_database
from study.engine.tracking.database import database
from study.engine.tracking.entries import metric_entries, param_entries, report_batches
from study.engine.tracking.outage import FilesError
from study.storage.events import WinnerEvaluated
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord, TrialRecord

EXPERIMENT = "adalora-rs-study"
STUDY_TAG, TRIAL_TAG, PARENT_TAG = "adalora_rs.study", "adalora_rs.trial", "mlflow.parentRunId"
FILES_TAG = "adalora_rs.files"
"""On the parent: the trial whose files have been stored."""
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "running": "RUNNING"}
UNFINISHED = "KILLED"
"""The status of a trial's run while no driver works on the study."""


@dataclass
class _Child:
    """The state of a trial's run in MLflow."""

    run_id: str
    params: bool = False
    reports: int = 0
    reason: str = ""
    status: str = "RUNNING"
    ended: int | None = None
    """Milliseconds since the epoch."""
    unchecked: dict[str, str] = field(default_factory=dict)
    """Parameters logged by an earlier driver, until they have been compared."""

    @classmethod
    def of(cls, run: Any) -> "_Child":
        data, info = run.data, run.info
        return cls(
            str(info.run_id),
            params=bool(data.params),
            reports=int(data.metrics.get("report", 0)),
            reason=data.tags.get("reason", ""),
            status=str(info.status),
            ended=info.end_time,
            unchecked=dict(data.params),
        )


class StudyRuns:
    """Writes what MLflow lacks of a study; methods may raise whatever MLflow and its stores do."""

    def __init__(self, uri: str, key: str, name: str) -> None:
        self.uri = uri
        self.key = key
        """Identifies the study on a shared server; see `study_key`."""
        self.name = name
        self.adopted = False
        self._client: Any = None
        self._experiment = ""
        self._parent = ""
        self._parent_status = ""
        self._winner: str | None = None
        self._files: str | None = None
        self._children: dict[int, _Child] = {}

    def adopt(self) -> None:
        """Reads the runs of the study; creates the database and the parent run if need be."""
        if self._client is None:
            file = database(self.uri)
            if file is not None:
                create_database(file)
            self._client = open_client(self.uri)
        self._experiment = self._adopt_experiment()
        runs = self.search()
        self._adopt_parent([r for r in runs if TRIAL_TAG not in r.data.tags])
        self._adopt_children([r for r in runs if TRIAL_TAG in r.data.tags])
        self.adopted = True

    @property
    def running(self) -> bool:
        """Whether the parent run is RUNNING."""
        return self._parent_status == "RUNNING"

    def forget(self) -> None:
        """Discards what is known of the runs; to be followed by `adopt`."""
        self.adopted = False
        self._children.clear()

    def search(self) -> list[Any]:
        """Returns all runs of the study that are not deleted, including the parent."""
        return search_runs(self._client, self._experiment, self.key)

    def write(self, trials: Iterable[TrialRecord], final: bool = False) -> None:
        """Writes what the runs of `trials` lack; `final`: the driver ends, no trial is running."""
        if not final and not self.running:
            self._client.update_run(self._parent, status="RUNNING")
            self._parent_status = "RUNNING"
        for trial in trials:
            child = self._child(trial)
            self._log(trial, child, final)
            self._set_status(trial, child, final)

    def end(self, status: str, winner: WinnerEvaluated | None, artifacts: Path | None) -> None:
        """Ends the parent run; logs the winner's scores there and its files in its own run.

        The files come last, as they may be stored elsewhere than the runs.

        Raises:
            FilesError: the files cannot be stored; the parent run has ended.
        """
        if winner is None:
            self._client.set_terminated(self._parent, status)
            return
        if (self._parent_status, self._winner) != (status, str(winner.trial)):
            self._end_with(status, winner)
        if artifacts is not None and self._files != str(winner.trial):
            self._store(winner.trial, artifacts)

    def _end_with(self, status: str, winner: WinnerEvaluated) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(
            self._parent,
            metrics=metric_entries({**winner.dev, **winner.test}, 0, winner.time),
            tags=[RunTag("winner", str(winner.trial))],
        )
        self._client.set_terminated(self._parent, status)

    def _store(self, winner: int, artifacts: Path) -> None:
        run_id = self._children[winner].run_id
        try:
            self._client.log_artifacts(run_id, str(artifacts), artifact_path="best")
        except Exception as error:  # The client of a storage raises errors of its own.
            location = self._client.get_run(run_id).info.artifact_uri
            raise FilesError(str(location)) from error
        self._client.set_tag(self._parent, FILES_TAG, str(winner))

    # Existing runs

    def _adopt_experiment(self) -> str:
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            file = database(self.uri)
            location = (file.parent / "mlartifacts").as_uri() if file else None
            return str(self._client.create_experiment(EXPERIMENT, artifact_location=location))
        if experiment.lifecycle_stage == "deleted":  # By a user; the name cannot be used again.
            self._client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def _adopt_parent(self, parents: list[Any]) -> None:
        if not parents:
            tags = {STUDY_TAG: self.key}
            parents = [self._client.create_run(self._experiment, tags=tags, run_name=self.name)]
        first, *duplicates = sorted(parents, key=lambda r: (r.info.start_time, r.info.run_id))
        self._delete(duplicates)
        self._parent, self._parent_status = str(first.info.run_id), str(first.info.status)
        self._winner = first.data.tags.get("winner")
        self._files = first.data.tags.get(FILES_TAG)

    def _adopt_children(self, runs: list[Any]) -> None:
        """Keeps the most complete run of each trial; a lost response leaves a duplicate."""
        by_trial: dict[int, list[Any]] = {}
        for run in runs:
            by_trial.setdefault(int(run.data.tags[TRIAL_TAG]), []).append(run)
        for number, same_trial in by_trial.items():
            same_trial.sort(
                key=lambda r: (_Child.of(r).reports, len(r.data.params), r.info.run_id)
            )
            *duplicates, run = same_trial
            self._delete(duplicates)
            if run.data.tags.get(PARENT_TAG) != self._parent:  # A user deleted the other parent.
                self._client.set_tag(run.info.run_id, PARENT_TAG, self._parent)
            self._children[number] = _Child.of(run)

    def _delete(self, runs: list[Any]) -> None:
        for run in runs:
            self._client.delete_run(run.info.run_id)

    # Missing entries

    def _child(self, trial: TrialRecord) -> _Child:
        """Returns the run of a trial; deletes one of a trial lost with the end of a journal."""
        child = self._children.get(trial.number)
        if child is not None and child.unchecked:
            now, before = (
                {param.key: param.value for param in param_entries(trial)},
                child.unchecked,
            )
            child.unchecked = {}
            if any(now.get(name, value) != value for name, value in before.items()):
                self._client.delete_run(child.run_id)
                child = None
        return child or self._create_child(trial)

    def _create_child(self, trial: TrialRecord) -> _Child:
        run = self._client.create_run(
            self._experiment,
            start_time=int(trial.created * 1000),
            run_name=f"trial {trial.number}",
            tags={
                PARENT_TAG: self._parent,
                STUDY_TAG: self.key,
                TRIAL_TAG: str(trial.number),
            },
        )
        self._children[trial.number] = _Child(str(run.info.run_id))
        return self._children[trial.number]

    def _log(self, trial: TrialRecord, child: _Child, final: bool) -> None:
        """Logs parameters, reports and the reason, each once.

        Parameters are logged with the first report, or at the end if there is none.
        """
        from mlflow.entities import RunTag

        running = trial.state == "running" and not final
        if running and len(trial.reports) <= child.reports:
            return
        params = [] if child.params else param_entries(trial)
        *batches, last = report_batches(trial.reports[child.reports :])
        for metrics in batches:
            self._client.log_batch(child.run_id, metrics=metrics, params=params)
            params = []
        logged = trial.state == "running" or trial.reason == child.reason
        tags = [] if logged else [RunTag("reason", trial.reason)]
        if last or params or tags:
            self._client.log_batch(child.run_id, metrics=last, params=params, tags=tags)
        child.params, child.reports = True, max(child.reports, len(trial.reports))
        child.reason = trial.reason

    def _set_status(self, trial: TrialRecord, child: _Child, final: bool) -> None:
        if trial.ended is not None:
            status, ended = STATUS[trial.state], int(trial.ended * 1000)
            if (child.status, child.ended) != (status, ended):
                self._client.set_terminated(child.run_id, status, end_time=ended)
                child.status, child.ended = status, ended
            return
        status = UNFINISHED if final else "RUNNING"
        if child.status != status:
            set_status = self._client.set_terminated if final else self._client.update_run
            set_status(child.run_id, status=status)
            child.status = status


def search_runs(client: Any, experiment: str, key: str) -> list[Any]:
    """Returns the runs of the study with this key that are not deleted, including the parent."""
    runs: list[Any] = []
    token = None
    while token != "":
        page = client.search_runs(
            [experiment], f"tags.`{STUDY_TAG}` = '{key}'", max_results=1000, page_token=token
        )
        runs.extend(page)
        token = page.token or ""
    return runs


def study_key(folder: StudyFolder, record: StudyRecord) -> str:
    """Returns the id of a study on a shared server: its first name and its start time.

    The first name is that of its folder when it was started, so that a renamed folder keeps its
    runs.
    """
    name = folder.path.name if record.opened is None else record.opened.name
    return f"{name}-{record.began:.3f}"
