"""Folders that tests damage: each test gets its own copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.study.doctor.made_folders import close, evaluate_winner, open_study, run

Copy = Callable[[], Path]


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "study"
    study = open_study(path, trials=3)
    for number in range(3):
        run(study, number)
    evaluate_winner(study)
    close(study, "FINISHED")
    return path


@pytest.fixture(scope="session")
def interrupted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupted") / "study"
    study = open_study(path, trials=4)
    run(study, 0)
    run(study, 1)
    run(study, 2, reports=2)
    close(study, "KILLED")
    return path


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """The folder of a study with three trials, of which one was stopped, and a winner."""
    return Path(shutil.copytree(finished_once, tmp_path / "study"))


@pytest.fixture
def interrupted(interrupted_once: Path, tmp_path: Path) -> Path:
    """The folder of a study that was interrupted while trial 2 of 4 had two reports of four."""
    return Path(shutil.copytree(interrupted_once, tmp_path / "study"))
