"""A user's own tables in a folder, and the message with which they are refused."""

from pathlib import Path
from typing import Any

import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import load_task

GOOD = "sequence,label\nACGT,0\nGGCC,1\n"
SPLITS = {
    "train": GOOD,
    "dev": "sequence,label\nAAAA,0\nCCCC,1\n",
    "test": "sequence,label\nTATA,0\nCGCG,1\n",
}


def write_folder(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in (SPLITS | files).items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def complaint(path: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_task(TaskSpec(path=path, **settings))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message or path.name in message
    return message
