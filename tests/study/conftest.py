"""Fixtures of the tests of study: ledgers, and MLflow databases that have their tables."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from study.engine.tracking import runs
from study.engine.tracking.address import database
from tests.study.ledgers import open_ledger, read_spec

__all__ = ["open_ledger", "read_spec"]


@pytest.fixture(scope="session", autouse=True)
def _migrated_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes every new sqlite database of MLflow a copy of one that has its tables.

    Creating the tables takes more than a second, which is too much for every study of a test.
    """
    template = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_client = runs.open_client

    def open_migrated(uri: str) -> Any:
        file = database(uri)
        if file is not None and file.parent.is_dir() and not file.exists():
            if not template.exists():
                open_client(f"sqlite:///{template}").search_experiments()
            shutil.copyfile(template, file)
        return open_client(uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "open_client", open_migrated)
        yield
