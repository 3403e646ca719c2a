"""A command parses every line of events.jsonl once."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from study import report, run
from study.doctor import __main__ as doctor
from study.engine import preparation, session
from study.engine.comparison.request import SeedsOptions, read_request
from study.storage import journal
from study.storage.folder import StudyFolder
from tests.study.doctor import made_folders


class DriverStartsError(Exception):
    """Raised in place of starting the driver."""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that was interrupted in its third trial."""
    path = tmp_path_factory.mktemp("runs") / "study"
    study = made_folders.open_study(path, trials=4)
    made_folders.run(study, 0)
    made_folders.run(study, 1)
    made_folders.run(study, 2, reports=2)
    made_folders.close(study, "KILLED")
    return path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The lines that are parsed, each with the number of times."""
    lines: Counter[str] = Counter()
    parse = journal.event_of

    def count(data: dict[str, Any]) -> Any:
        lines[json.dumps(data)] += 1
        return parse(data)

    monkeypatch.setattr(journal, "event_of", count)
    return lines


def once(path: Path) -> Counter[str]:
    return Counter(StudyFolder(path).journal.read_text().splitlines())


def test_a_report_parses_the_journal_once(interrupted: Path, parsed: Counter[str]) -> None:
    assert report.main([str(interrupted)]) == 0
    assert parsed == once(interrupted)


def test_the_doctor_parses_the_journal_once(interrupted: Path, parsed: Counter[str]) -> None:
    assert doctor.main([str(interrupted)]) == 1  # The study is unfinished.
    assert parsed == once(interrupted)


def test_the_request_of_a_comparison_parses_the_journal_once(
    interrupted: Path, parsed: Counter[str]
) -> None:
    read_request(SeedsOptions(study=str(interrupted), top=1, overrides=["training.lr=1e-4"]))
    assert parsed == once(interrupted)


def test_a_resume_parses_the_journal_once(
    interrupted: Path, parsed: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = SimpleNamespace(
        name="made", fingerprint=lambda: "", reports=dict, train=range(8), quality=None
    )
    info = SimpleNamespace(commit=None, weights=None)

    @contextmanager
    def cluster(*arguments: object) -> Iterator[tuple[object, None]]:
        yield info, None

    def start(*arguments: object) -> None:
        raise DriverStartsError

    monkeypatch.setattr(preparation, "prepare_data", lambda spec: (info, data))
    monkeypatch.setattr(session, "check_space", lambda *arguments: [])
    monkeypatch.setattr(session, "study_cluster", cluster)
    monkeypatch.setattr(session, "Tracker", start)
    before = once(interrupted)
    options = ["--space", str(interrupted / "spec.yaml"), "--storage", str(interrupted.parent)]
    with pytest.raises(DriverStartsError):
        run.main([*options, "--name", "study", "--resume"])
    [resumed] = once(interrupted) - before
    assert json.loads(resumed)["event"] == "resumed"
    assert parsed - Counter([resumed]) == before
