"""Reads a study folder for its report."""

import json
from dataclasses import dataclass
from typing import Any

from study.errors import InputError, instead_of
from study.spec import StudySpec, load_spec
from study.storage.events import Event, StudyOpened, opened_by
from study.storage.folder import StudyFolder
from study.storage.opening import check_journal
from study.storage.predictions import Predictions, read_predictions
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result import StudyResult, study_result
from study.storage.result.building import read_race
from study.storage.stored import StoredStudy


@dataclass(frozen=True)
class StudyData:
    """The contents of a study folder, finished or not."""

    folder: StudyFolder
    spec: StudySpec
    spec_text: str
    events: list[Event]
    record: StudyRecord
    race: StudyRecord | None
    """The runs of its race; None before it begins."""
    result: StudyResult
    trace: list[dict[str, Any]]
    """The winner's mask events in order; empty if there is no winner or the method has none."""
    predictions: Predictions | None = None
    """Of the weights in best/; None without a winner, and in folders of older versions."""

    @property
    def opened(self) -> StudyOpened | None:
        """The event that opened the study; None if the journal lacks it."""
        return opened_by(self.events)

    @property
    def name(self) -> str:
        """The study's name."""
        return (self.opened and self.opened.name) or self.folder.path.name

    @property
    def created_with(self) -> dict[str, Any]:
        """Software versions recorded when the study was opened; empty if not recorded."""
        return dict((self.opened and self.opened.created_with) or {})

    @property
    def maximize(self) -> bool:
        """Whether larger scores are better, as for most metrics."""
        return self.spec.goals.objectives[0].maximize

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials by number."""
        return [self.record.trials[number] for number in sorted(self.record.trials)]

    @property
    def leader(self) -> TrialRecord | None:
        """The winner, else the best complete trial that meets the constraints, else None."""
        if self.record.winner is not None:
            return self.record.trials[self.record.winner.trial]
        return self.record.best(self.maximize, self.spec.goals.constraints)


def read_study(stored: StoredStudy) -> StudyData:
    """Reads the other files of a study folder, whose journal has been read.

    Raises:
        InputError: a required file is missing, empty or damaged, or a file cannot be read.
    """
    folder = stored.folder
    if not folder.journal.is_file() or not folder.spec.is_file():
        raise InputError(
            f"{folder.path}: must be a study folder, with spec.yaml and events.jsonl, but got "
            f"{instead_of(folder.spec, folder.journal)}; give the folder that study.run wrote, "
            "<storage>/<name>"
        )
    check_journal(stored)
    events = stored.events
    spec = load_spec(str(folder.spec), stored=True)
    record = stored.study_record()
    has_winner = record.winner is not None
    trace = _trace(folder) if has_winner else []
    predictions = read_predictions(folder.predictions) if has_winner else None
    text = folder.spec.read_text(encoding="utf-8")
    race = read_race(folder, spec.objective)
    result = study_result(record, spec, race, folder.path.name)
    return StudyData(folder, spec, text, events, record, race, result, trace, predictions)


def _trace(folder: StudyFolder) -> list[dict[str, Any]]:
    file = folder.best / "budget_trace.json"
    if not file.is_file():
        return []
    try:
        trace: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}:{error.lineno}: must be JSON, but got a syntax error ({error.msg}); restore "
            "the file from a copy, or delete it to make the report without mask events"
        ) from None
    return trace
