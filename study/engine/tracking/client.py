"""MLflow's client, with the settings of a study and without messages of its own."""

import logging
import os
from typing import Any

from study.engine.tracking.database import PREFIX

SETTINGS = {
    # Automatic retries could create a run twice; the tracker itself retries failed writes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Needs a request for every run and would interrupt the live table.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Environment variables of MLflow, for those that the user has not set."""


def open_client(uri: str) -> Any:
    """Returns MLflow's client of the database or server at `uri`."""
    import_mlflow()
    from mlflow import MlflowClient

    # With the driver named, MLflow does not create a folder of the quoted name of the database's.
    return MlflowClient(tracking_uri=uri.replace(PREFIX, "sqlite+pysqlite:///", 1))


def import_mlflow() -> None:
    """Imports MLflow, which takes seconds; to be called before anything of it is used.

    Hides its messages and those of alembic: they are on the set-up of a new database, and
    tracebacks of failures that the tracker logs in one line.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # Not one of its modules: Ray Tune imports MLflow in the driver's thread, and only an import of
    # the package itself waits until that is complete.
    import mlflow  # noqa: F401

    for name in ("mlflow", "alembic"):  # The import sets levels itself.
        logging.getLogger(name).setLevel(logging.CRITICAL)
