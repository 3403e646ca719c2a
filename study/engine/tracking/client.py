"""MLflow's client, without messages of its own."""

import logging
from typing import Any

from study.engine.tracking.database import PREFIX


def open_client(uri: str) -> Any:
    """Returns MLflow's client of the database or server at `uri`."""
    from mlflow import MlflowClient

    quiet_mlflow()
    # With the driver named, MLflow does not create a folder of the quoted name of the database's.
    return MlflowClient(tracking_uri=uri.replace(PREFIX, "sqlite+pysqlite:///", 1))


def quiet_mlflow() -> None:
    """Hides the messages of MLflow and alembic; to be called after MLflow is imported.

    They are on the set-up of a new database, and tracebacks of failures that the tracker logs in
    one line. The import sets levels itself.
    """
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
