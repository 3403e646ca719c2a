"""How every run of the driver begins: Ray for what is to be run, and a line in the journal."""

import enum
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from study import __version__
from study.engine.console.lines import warn
from study.engine.tracking.address import tracking_address
from study.engine.tracking.tracker import end_elsewhere
from study.errors import InputError
from study.models.info import BackboneInfo
from study.storage.events import VERSION, StudyOpened, StudyResumed, opened_by
from study.storage.folder import StudyFolder
from study.storage.journal import parse_events
from study.storage.ledger import Ledger
from study.storage.record import StudyRecord
from study.storage.runs import Run, key_of, standing
from study.training.encoding import EncodedTask

CREATED_WITH = ("torch", "transformers", "ray", "optuna", "mlflow")
"""Distributions whose versions the journal keeps."""


def created_with() -> dict[str, str]:
    """Returns the versions of this package and of what its results depend on."""
    return {"adalora-rs-study": __version__} | {n: metadata.version(n) for n in CREATED_WITH}


def known_of(info: BackboneInfo, data: EncodedTask) -> dict[str, Any]:
    """Returns what a journal keeps of the backbone and the data."""
    return {"data": data.fingerprint(), "commit": info.commit, **data.reports()}


def note_start(ledger: Ledger, tracking_uri: str | None, known: Mapping[str, Any]) -> None:
    """Journals that what is in the folder begins, with what is `known` of it; or that it goes on.

    Warns if it goes on with other versions. What an earlier driver left running where it was
    tracked before, if that is elsewhere, is ended there.
    """
    made: dict[str, Any] = {"tracking": tracking_uri, "created_with": created_with()}
    if ledger.opened:
        warn_of_versions(ledger, made["created_with"])
        before = tracking_address(ledger.folder, None)
        if before != tracking_uri:
            end_elsewhere(ledger.folder, before, ledger.record)
        ledger.append(StudyResumed(version=VERSION, **made))
    else:
        folder = ledger.folder
        opened = StudyOpened(name=folder.path.name, spec=folder.spec.name, **known, **made)
        ledger.append(opened)


def note_move(ledger: Ledger, tracking_uri: str | None) -> None:
    """Journals that what is over is tracked elsewhere from now on, if that is so."""
    if tracking_address(ledger.folder, None) != tracking_uri:
        note_start(ledger, tracking_uri, {})


def warn_of_versions(ledger: Ledger, now: Mapping[str, str]) -> None:
    """Warns if what is in the folder was begun with other versions than it goes on with."""
    opened = opened_by(ledger.journal.read())
    versions = (opened.created_with or {}) if opened else {}
    before = {name: v for name, v in versions.items() if v != now.get(name)}
    if before:
        old, new = (", ".join(f"{n} {v.get(n)}" for n in before) for v in (before, now))
        warn(
            f"{ledger.folder.path}: was begun with {old}, goes on with {new}: results may differ "
            "in the last digits"
        )


def check_data(folder: StudyFolder, data: EncodedTask) -> None:
    """Refuses to go on with other data than the study began with; writes nothing.

    Raises:
        InputError: the data have changed, or the journal is damaged.
    """
    if not folder.journal.exists():
        return
    events = parse_events(folder.journal, folder.journal.read_bytes())
    opened = opened_by(events)
    if opened is not None and opened.data and opened.data != data.fingerprint():
        raise InputError(
            f"{folder.path}: --resume needs the data that the study was started with, but "
            f"the sequences, labels or tokens of {data.name} have changed; restore them, or start "
            "a study of another --name"
        )


class Ended(enum.Enum):
    """How a run of the driver ended."""

    DONE = enum.auto()
    FAILED = enum.auto()
    INTERRUPTED = enum.auto()


STATUS = {Ended.DONE: "FINISHED", Ended.FAILED: "FAILED", Ended.INTERRUPTED: "KILLED"}
"""MLflow's word for how it ended."""


def ended_as(runs: Sequence[Run], record: StudyRecord) -> Ended:
    """Returns how runs stand when no more are started; warns of those that crashed."""
    stands = standing(record)
    trials = [stands.get(key_of(run)) for run in runs]
    if any(trial is None or trial.state == "running" for trial in trials):
        return Ended.INTERRUPTED
    broken = [trial for trial in trials if trial is not None and trial.crashed]
    for trial in broken:
        labels = ", ".join(str(label) for label in trial.params.values())
        warn(f"{labels}: crashed; see failures/trial-{trial.number:05d}.txt, and --resume")
    return Ended.FAILED if broken else Ended.DONE
