"""The import of MLflow: variables that the user has set stay, messages are hidden."""

import logging
import os

import pytest

from study.engine.tracking.client import SETTINGS, import_mlflow


def test_settings_are_set_unless_the_user_has_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    import_mlflow()
    assert {name: os.environ[name] for name in SETTINGS} == SETTINGS | {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"
    }
    assert not logging.getLogger("mlflow").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("alembic").isEnabledFor(logging.ERROR)
