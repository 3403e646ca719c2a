"""Data and weights of a benchmark are those of its earlier sessions."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from study.engine.benchmark.session import _check_data
from study.errors import InputError
from study.storage.events import DataFacts, DataRead, StudyOpened
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.stored import StoredStudy


def _facts(**changes: Any) -> DataFacts:
    common: dict[str, Any] = {"backbone": "opt", "task": "tata", "settings": {}, "commit": None}
    return DataFacts(**common | {"fingerprint": "a", "reports": {}} | changes)


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({}, {"weights": "w"}, ""),  # Of a version that did not record the weights.
        ({"weights": "w"}, {"weights": "w"}, ""),
        ({"weights": None}, {"weights": None}, ""),
        ({"weights": "w"}, {"weights": "v"}, "another config.json or other weights of opt"),
        ({"weights": "w"}, {"task": "other", "weights": "v"}, ""),
        ({}, {"fingerprint": "b"}, "other sequences, labels or tokens of tata"),
    ],
)
def test_a_changed_input_is_refused(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], found: str
) -> None:
    folder = StudyFolder(tmp_path)
    journal = Journal(folder.journal)
    journal.append(StudyOpened())
    journal.append(DataRead(tasks=[_facts(**before)], unavailable={}))
    inputs: Any = SimpleNamespace(facts={"key": _facts(**now)})
    if not found:
        return _check_data(StoredStudy.read(folder), inputs)
    with pytest.raises(InputError, match=found):
        _check_data(StoredStudy.read(folder), inputs)
    return None
