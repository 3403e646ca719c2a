"""Files for TensorBoard, derived from the record: a folder per trial, its settings as HParams.

They exist if the folder does; see `--tensorboard`. A new session writes them again.
"""

import shutil
from typing import Any

from study.storage import events
from study.storage.events import Report, TrialEnded, TrialWarning
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.words import STATE_WORDS


class TensorBoardFiles:
    """Writes reports as they come; a listener of the ledger.

    An error of the file system is only a warning.
    """

    def __init__(self, ledger: StudyLedger) -> None:
        """Writes the files of all trials of the record again.

        Raises:
            OSError: they cannot be written.
        """
        self._ledger = ledger
        self._writers: dict[int, Any] = {}
        self._broken = False
        for folder in ledger.folder.tensorboard.glob("trial-*"):
            shutil.rmtree(folder)
        for trial in ledger.record.trials.values():
            for report in trial.reports:
                self._report(report)
            self._end(trial)

    def __call__(self, event: events.Event, record: StudyRecord) -> None:
        """Writes a report, or the settings and scores of a trial that has ended."""
        if self._broken:
            return
        try:
            if isinstance(event, Report):
                self._report(event)
            elif isinstance(event, TrialEnded):
                self._end(record.trials[event.trial])
        except OSError as error:
            self._broken = True
            text = f"tensorboard/ lacks events from now on ({error}); --resume writes it again"
            self._ledger.append(TrialWarning(trial=getattr(event, "trial", 0), text=text))

    def _report(self, report: Report) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        numbers = {name: value for name, value in report.metrics.items() if value is not None}
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._write(report.trial, Summary(value=values), report.step, report.time)

    def _end(self, trial: TrialRecord) -> None:
        """Ends the file of a trial that has ended; otherwise does nothing."""
        if trial.ended is None:
            return
        from tensorboardX.summary import hparams

        score = {trial.metric: trial.value} if trial.value is not None else {}
        settings = {name: _plain(value) for name, value in trial.settings.items()}
        for part in hparams({**settings, "state": STATE_WORDS[trial.state]}, score):
            self._write(trial.number, part, 0, trial.ended)
        self._writers.pop(trial.number).close()

    def _write(self, trial: int, summary: Any, step: int, time: float) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event

        if trial not in self._writers:
            folder = self._ledger.folder.tensorboard / f"trial-{trial:05d}"
            folder.mkdir()
            self._writers[trial] = EventsWriter(str(folder / "events"))
        self._writers[trial].write_event(Event(summary=summary, step=step, wall_time=time))
        self._writers[trial].flush()


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
