"""What sessions of studies, benchmarks and comparisons have in common: start, data, status."""

import enum
import gzip
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from study import __version__
from study.engine.console.lines import warn
from study.engine.machine import machine
from study.engine.tracking.tracker import end_previous_runs
from study.errors import InputError
from study.models.info import BackboneInfo
from study.storage.durable import replacing
from study.storage.events import VERSION, StudyOpened, StudyResumed
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.record import StudyRecord
from study.storage.runs import Run, key_of, latest_trials
from study.storage.stored import StoredStudy
from study.training.encoding import EncodedTask

CREATED_WITH = ("torch", "transformers", "ray", "optuna", "mlflow")
"""Distributions whose versions are recorded in the journal."""


def created_with() -> dict[str, str]:
    """Returns the versions of this package and of those that its results depend on."""
    return {"adalora-rs-study": __version__} | {n: metadata.version(n) for n in CREATED_WITH}


def input_facts(info: BackboneInfo, data: EncodedTask, experiment: str) -> dict[str, Any]:
    """Returns the facts that the first event of a study contains.

    These are of backbone and data, and the name of MLflow's experiment.
    """
    facts = {"data": data.fingerprint(), "backbone": info.weights, "commit": info.commit}
    facts["experiment"] = experiment
    return facts | data.reports()


def record_start(ledger: Ledger, tracking_uri: str | None, facts: Mapping[str, Any]) -> None:
    """Journals that a study starts, with the `facts` of its inputs, or that it is resumed.

    A resumed study is compared with the versions it was started with; a difference is a warning.
    If its tracking address has changed, the runs at the previous one are ended.
    """
    session: dict[str, Any] = {"tracking": tracking_uri, "created_with": created_with()}
    session["machine"] = machine()
    if ledger.opened:
        warn_of_versions(ledger, session["created_with"])
        before = ledger.record.tracking
        if before != tracking_uri:
            end_previous_runs(ledger.folder, before, ledger.record)
        ledger.append(StudyResumed(version=VERSION, **session))
    else:
        folder = ledger.folder
        opened = StudyOpened(name=folder.path.name, spec=folder.spec.name, **facts, **session)
        ledger.append(opened)


def record_new_address(ledger: Ledger, tracking_uri: str | None) -> None:
    """Journals the tracking address of a complete study if it has changed."""
    if ledger.record.tracking != tracking_uri:
        record_start(ledger, tracking_uri, {})


def warn_of_versions(ledger: Ledger, now: Mapping[str, str]) -> None:
    """Warns if the study was started with other versions than the present ones."""
    opened = ledger.record.opened
    versions = (opened.created_with or {}) if opened else {}
    before = {name: v for name, v in versions.items() if v != now.get(name)}
    if before:
        old, new = (", ".join(f"{n} {v.get(n)}" for n in before) for v in (before, now))
        warn(
            f"{ledger.folder.path}: started with {old}, resumed with {new}: results may differ in "
            "the last digits"
        )


def write_splits(folder: StudyFolder, data: EncodedTask) -> None:
    """Writes which split each row of the data is in, if rows were drawn and it is not there yet.

    The file has the same bytes for the same splits.
    """
    assignment = data.quality.assignment if data.quality is not None else None
    if assignment is not None and not folder.splits.exists():
        with replacing(folder.splits) as file:
            file.write(gzip.compress(assignment.csv().encode(), mtime=0))


def check_data(stored: StoredStudy, data: EncodedTask) -> None:
    """Checks that the data are those that the study was started with; writes nothing.

    Raises:
        InputError: the data have changed.
    """
    opened = stored.opened
    if opened is not None and opened.data and opened.data != data.fingerprint():
        raise InputError(
            f"{stored.folder.path}: must be resumed with the data that the study was started "
            f"with, but got other sequences, labels or tokens of {data.name}; restore them, or "
            "start a study with another --name"
        )


class SessionStatus(enum.Enum):
    """How a session of the driver ended."""

    DONE = enum.auto()
    FAILED = enum.auto()
    INTERRUPTED = enum.auto()


MLFLOW_STATUS = {
    SessionStatus.DONE: "FINISHED",
    SessionStatus.FAILED: "FAILED",
    SessionStatus.INTERRUPTED: "KILLED",
}
"""The status of the parent run in MLflow."""


def session_status(runs: Sequence[Run], record: StudyRecord) -> SessionStatus:
    """Returns the status of a session when no more runs are started; warns of crashed runs."""
    latest = latest_trials(record)
    trials = [latest.get(key_of(run)) for run in runs]
    if any(trial is None or trial.state == "running" for trial in trials):
        return SessionStatus.INTERRUPTED
    broken = [trial for trial in trials if trial is not None and trial.crashed]
    for trial in broken:
        labels = ", ".join(str(label) for label in trial.labels.values())
        warn(f"{labels}: crashed; see failures/trial-{trial.number:05d}.txt, and --resume")
    return SessionStatus.FAILED if broken else SessionStatus.DONE
