"""The runs of one study in MLflow: a parent run with a child run for every trial.

`adopt` reads the runs that exist; from then on only what they lack is written, so that writing
twice has no effect. After a failure the state of the server is unknown, as only the response may
have been lost: `forget`, then `adopt` again.

Requests: one to create a child, at most one per report, one to end it. Parameters are sent with
the first report, the reason of the end with the last.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.engine.tracking.client import open_client
from study.engine.tracking.creation import create_database
from study.engine.tracking.database import database
from study.engine.tracking.entries import (
    SCORE,
    end_tags,
    param_entries,
    report_batches,
    score_entries,
    tag_entries,
    text_entries,
)
from study.engine.tracking.locations import artifact_location, repair_locations
from study.engine.tracking.outage import FilesError
from study.engine.tracking.subject import Subject
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord, TrialRecord

if TYPE_CHECKING:
    from study.engine.tracking.summary import Summary

KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""By this tag of an experiment MLflow shows the pages for the training of models."""
STUDY_TAG, TRIAL_TAG, PARENT_TAG = "adalora_rs.study", "adalora_rs.trial", "mlflow.parentRunId"
RESULT_TAG, FILES_TAG = "adalora_rs.result", "adalora_rs.files"
"""On the parent: the result that has been logged, and the one whose files have been stored."""
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "running": "RUNNING"}
UNFINISHED = "KILLED"
"""The status of a trial's run while no driver works on the study."""


@dataclass
class _Child:
    """The state of a trial's run in MLflow."""

    run_id: str
    params: bool = False
    reports: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    """How and why it ended; see `end_tags`."""
    scored: bool = False
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
            tags=dict(data.tags),
            scored=SCORE in data.metrics,
            status=str(info.status),
            ended=info.end_time,
            unchecked=dict(data.params),
        )


class StudyRuns:
    """Writes what MLflow lacks of a study; methods may raise whatever MLflow and its stores do."""

    def __init__(self, uri: str, key: str, subject: Subject) -> None:
        self.uri = uri
        self.key = key
        """Identifies the study on a shared server; see `study_key`."""
        self.subject = subject
        self.adopted = False
        self._client: Any = None
        self._experiment = ""
        self._parent = ""
        self._parent_status = ""
        self._parent_params: dict[str, str] = {}
        self._result: str | None = None
        self._files: str | None = None
        self._children: dict[int, _Child] = {}

    def adopt(self) -> None:
        """Reads the runs of the study; creates the database and the parent run if need be."""
        if self._client is None:
            file = database(self.uri)
            if file is not None:
                create_database(file)
                repair_locations(file)
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

    def end(self, status: str, summary: "Summary | None" = None) -> None:
        """Ends the parent run; logs the result of the study there, then its files and model.

        The files come last, as they may be stored elsewhere than the runs.

        Raises:
            FilesError: the files cannot be stored; the parent run has ended.
        """
        if summary is None:
            self._client.set_terminated(self._parent, status)
            return
        if (self._parent_status, self._result) != (status, summary.stamp):
            self._end_with(status, summary)
        if self._files != summary.stamp:
            self._store(summary)

    def _end_with(self, status: str, summary: "Summary") -> None:
        params = {one.key: one.value for one in text_entries(summary.params)}
        if any(params.get(name, value) != value for name, value in self._parent_params.items()):
            self._replace_parent()  # A parameter of a run cannot change: here is another winner.
        self._client.log_batch(
            self._parent,
            metrics=summary.metrics(),
            params=text_entries(summary.params),
            tags=tag_entries({**summary.tags, RESULT_TAG: summary.stamp}),
        )
        self._client.log_inputs(self._parent, summary.datasets())
        ended = int(summary.time * 1000)
        self._client.set_terminated(self._parent, status, end_time=ended)

    def _replace_parent(self) -> None:
        """Puts all runs of the study under a new parent."""
        before, self._parent = self._parent, self._create_parent()
        for child in self._children.values():
            self._client.set_tag(child.run_id, PARENT_TAG, self._parent)
        self._client.delete_run(before)
        self._files = None

    def _store(self, summary: "Summary") -> None:
        # Imported here: it needs torch, and the doctor reads runs without it.
        from study.engine.tracking.winner_model import log_model

        try:
            for path in summary.files:
                if path.is_dir():
                    self._client.log_artifacts(self._parent, str(path), artifact_path=path.name)
                elif path.is_file():
                    self._client.log_artifact(self._parent, str(path))
            if summary.model is not None:
                log_model(self._client, self._experiment, self._parent, summary.model)
        except Exception as error:  # The client of a storage raises errors of its own.
            location = self._client.get_run(self._parent).info.artifact_uri
            raise FilesError(str(location)) from error
        self._client.set_tag(self._parent, FILES_TAG, summary.stamp)

    # Existing runs

    def _adopt_experiment(self) -> str:
        name = self.subject.experiment
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            file = database(self.uri)
            location = artifact_location(file) if file else None
            tags = {KIND_TAG: KIND}
            return str(self._client.create_experiment(name, location, tags=tags))
        number = str(experiment.experiment_id)
        if experiment.lifecycle_stage == "deleted":  # By a user; the name cannot be used again.
            self._client.restore_experiment(number)
        if KIND_TAG not in experiment.tags:
            self._client.set_experiment_tag(number, KIND_TAG, KIND)
        return number

    def _adopt_parent(self, parents: list[Any]) -> None:
        if not parents:
            self._parent, self._parent_status = self._create_parent(), "RUNNING"
            return
        first, *duplicates = sorted(parents, key=lambda r: (r.info.start_time, r.info.run_id))
        self._delete(duplicates)
        self._parent, self._parent_status = str(first.info.run_id), str(first.info.status)
        self._parent_params = dict(first.data.params)
        self._result = first.data.tags.get(RESULT_TAG)
        self._files = first.data.tags.get(FILES_TAG)

    def _create_parent(self) -> str:
        subject = self.subject
        self._parent_params, self._result, self._files = {}, None, None
        run = self._client.create_run(
            self._experiment,
            start_time=None if subject.began is None else int(subject.began * 1000),
            tags={**subject.shared, **subject.tags, STUDY_TAG: self.key},
            run_name=subject.name,
        )
        return str(run.info.run_id)

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
                {param.key: param.value for param in self._params(trial)},
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
            run_name=self.subject.run_name(trial),
            tags={
                PARENT_TAG: self._parent,
                STUDY_TAG: self.key,
                TRIAL_TAG: str(trial.number),
            },
        )
        self._children[trial.number] = _Child(str(run.info.run_id))
        return self._children[trial.number]

    def _params(self, trial: TrialRecord) -> list[Any]:
        return param_entries(trial, self.subject.shared)

    def _log(self, trial: TrialRecord, child: _Child, final: bool) -> None:
        """Logs parameters, reports, score, and how it ended, each once.

        Parameters are logged with the first report, or at the end if there is none.
        """
        running = trial.state == "running" and not final
        if running and len(trial.reports) <= child.reports:
            return
        params = [] if child.params else self._params(trial)
        *batches, last = report_batches(trial.reports[child.reports :])
        for metrics in batches:
            self._client.log_batch(child.run_id, metrics=metrics, params=params)
            params = []
        ending = {k: v for k, v in end_tags(trial).items() if child.tags.get(k) != v}
        last += [] if child.scored else score_entries(trial)
        if last or params or ending:
            tags = tag_entries(ending)
            self._client.log_batch(child.run_id, metrics=last, params=params, tags=tags)
        child.params, child.reports = True, max(child.reports, len(trial.reports))
        child.tags |= ending
        child.scored = child.scored or bool(score_entries(trial))

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
