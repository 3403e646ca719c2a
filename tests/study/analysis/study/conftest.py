from pathlib import Path

import pytest

from tests.study.analysis.study.made_studies import MadeStudy, finish


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    """A study just opened: no trials yet."""
    return MadeStudy(tmp_path / "made")


@pytest.fixture
def finished(study: MadeStudy) -> MadeStudy:
    """A finished study: see `finish`."""
    finish(study)
    return study
