"""The import of MLflow: variables of the user stay, messages are hidden, threads wait."""

import importlib
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from study.engine.tracking.client import SETTINGS, import_mlflow

PACKAGE = """
import time
started = True
time.sleep(0.3)
from mlflow.tracking import store
"""
MODULE = """
from mlflow import started
store = started
"""
"""A package and a module of it that import each other, as MLflow's do."""


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


def test_the_import_of_mlflow_waits_for_that_of_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mlflow"
    package.mkdir()
    (package / "__init__.py").write_text(PACKAGE)
    (package / "tracking.py").write_text(MODULE)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    with ThreadPoolExecutor() as pool:
        other = pool.submit(importlib.import_module, "mlflow")
        while not hasattr(sys.modules.get("mlflow"), "started"):
            time.sleep(0.001)
        try:
            import_mlflow()
            assert hasattr(other.result(), "store")
        finally:
            for name in ("mlflow", "mlflow.tracking"):
                sys.modules.pop(name, None)
