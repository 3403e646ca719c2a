"""Replays journals: at every event, the time left that was predicted and the real one.

`python -m tests.study.storage.result.replays DIR …` prints the errors over finished studies.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.spec import StudySpec
from study.storage.events import Event, StudyResumed
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord
from study.storage.result.time_left import TimeLeft, study_time_left
from study.storage.stored import StoredStudy

WITHIN = 0.3
"""The largest relative error that counts as right."""
LEAST_SECONDS = 5.0
"""Nearer the end relative errors are not counted."""


@dataclass(frozen=True)
class Moment:
    """A prediction at the time of an event."""

    predicted: TimeLeft
    real: float
    """Seconds until the last event: of a finished study the winner's evaluation."""

    @property
    def error(self) -> float:
        """Relative: 0.2 if a fifth too much was predicted."""
        return self.predicted.seconds / self.real - 1


def replay(spec: StudySpec, events: Sequence[Event], race: Sequence[Event]) -> list[Moment]:
    """Returns a moment for each event of a finished study after which a time is predicted."""
    end = events[-1].time
    record, runs, moments = StudyRecord(spec.objective), StudyRecord(spec.objective), []
    merged = [(event.time, 0, event) for event in events]
    merged += [(event.time, 1, event) for event in race]
    for now, which, event in sorted(merged, key=lambda one: one[:2]):
        (runs if which else record).apply(event)
        predicted = study_time_left(spec, record, runs if runs.trials else None, now)
        if predicted is not None and end - now > LEAST_SECONDS:
            moments.append(Moment(predicted, end - now))
    return moments


def replay_folder(path: Path) -> list[Moment]:
    """Returns the moments of a finished study that was never interrupted."""
    stored = StoredStudy.read(StudyFolder(path))
    assert not any(isinstance(event, StudyResumed) for event in stored.events), path
    race = StoredStudy.read(StudyFolder(StudyFolder(path).finalists))
    return replay(stored.spec, stored.events, race.events)


def main() -> None:
    """Prints a line per folder."""
    for path in map(Path, sys.argv[1:]):
        moments = replay_folder(path)
        if not moments:
            print(f"{path.name:<16} nothing was predicted")  # noqa: T201
            continue
        errors = [abs(moment.error) for moment in moments]
        within = statistics.fmean(error <= WITHIN for error in errors)
        covered = statistics.fmean(m.predicted.low <= m.real <= m.predicted.high for m in moments)
        first = moments[0]
        print(  # noqa: T201
            f"{path.name:<16} {len(moments):>4} moments: {within:.0%} within {WITHIN:.0%}, median "
            f"error {statistics.median(errors):.0%}, in the interval {covered:.0%}; at the "
            f"first {first.predicted.seconds:.0f} s predicted, {first.real:.0f} s real"
        )


if __name__ == "__main__":
    main()
