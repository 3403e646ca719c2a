"""Random sequences, and checkpoints in temporary folders."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.study.models import checkpoints


@pytest.fixture
def random_dna() -> Callable[..., list[str]]:
    """(count, length, seed=0) -> that many random sequences."""
    return checkpoints.random_dna


@pytest.fixture(scope="session")
def written() -> dict[str, Path]:
    """The folders of the checkpoints written so far, by their settings."""
    return {}


@pytest.fixture
def checkpoint(
    tmp_path: Path, written: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """(family, dtype=float32, hub=False, **options) -> a folder, which the test may change."""

    def copy(family: str, **settings: Any) -> Path:
        key = repr((family, sorted(settings.items())))
        if key not in written:
            written[key] = tmp_path_factory.mktemp("checkpoints") / family
            checkpoints.write_checkpoint(written[key], family, **settings)
        return Path(shutil.copytree(written[key], tmp_path / family))

    return copy
