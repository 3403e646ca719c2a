"""Fixtures of the tests of study: ledgers, and no tracking server of the developer's."""

from collections.abc import Iterator

import pytest

from tests.study.ledgers import open_ledger, read_spec

__all__ = ["open_ledger", "read_spec"]


@pytest.fixture(scope="session", autouse=True)
def _no_tracking_server() -> Iterator[None]:
    """Unsets the variable that a new study would be tracked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield
