"""Files for TensorBoard: curves and settings of trials, once after a resume."""

from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from study.engine.tracking.tensorboard import TensorBoardFiles
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create, report


def values(ledger: StudyLedger, trial: int) -> list[Any]:
    """The values in all files of a trial, each with its step and time."""
    found: list[Any] = []
    for file in sorted((ledger.folder.tensorboard / f"trial-{trial:05d}").iterdir()):
        data, place = file.read_bytes(), 0
        while place < len(data):  # Length, its checksum, the event, its checksum.
            length = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += length + 16
            found += [(one, event.step, event.wall_time) for one in event.summary.value]
    return found


def curve(ledger: StudyLedger, trial: int) -> list[tuple[int, float]]:
    scores = [one for one in values(ledger, trial) if one[0].tag == "dev_mcc"]
    assert [time for *_, time in scores] == [r.time for r in ledger.record.trials[trial].reports]
    return [(step, value.simple_value) for value, step, _ in scores]


def settings(ledger: StudyLedger, trial: int) -> dict[str, Any]:
    """The settings of a trial on the page HParams."""
    data = [
        HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for value, *_ in values(ledger, trial)
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]
    [start] = [one.session_start_info for one in data if one.HasField("session_start_info")]
    return {name: getattr(v, str(v.WhichOneof("kind"))) for name, v in start.hparams.items()}


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> StudyLedger:
    ledger = open_ledger()
    ledger.folder.tensorboard.mkdir()
    ledger.listeners = [TensorBoardFiles(ledger)]
    return ledger


def test_a_resumed_trial_has_each_report_once_and_its_settings(
    ledger: StudyLedger, open_ledger: OpenLedger
) -> None:
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    assert curve(ledger, 0) == [(10, 0.25)]
    for writer in ledger.listeners[0]._writers.values():  # As at the end of a driver.
        writer.close()
    resumed = open_ledger()
    resumed.listeners = [TensorBoardFiles(resumed)]
    report(resumed, 0, 2, None)
    report(resumed, 0, 3, 0.5)
    resumed.end(resumed.record.trials[0], "pruned", "below the rung")
    [*first, last] = resumed.record.trials[0].reports
    resumed.record.trials[0].reports[:] = [first[0], last]  # That without a score has no value.
    assert curve(resumed, 0) == [(10, 0.25), (30, 0.5)]
    assert settings(resumed, 0) == {
        "b0": 6.0,
        "bT": 3.0,
        "p": 0.1,
        "lr": 0.001,
        "state": "stopped early",
    }


def test_a_study_continues_without_the_files(
    ledger: StudyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoardFiles, "_write", fail)
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    report(ledger, 0, 2, 0.5)
    assert "tensorboard/ lacks events from now on" in ledger.folder.journal.read_text()
