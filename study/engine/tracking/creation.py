"""Creates MLflow's sqlite databases, complete or not at all."""

import functools
import os
import secrets
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from study.engine.tracking.client import import_mlflow
from study.storage.durable import PARTIAL, sync_names

BESIDE = ("-journal", "-wal", "-shm")
"""What sqlite appends to the name of a database for the files that belong to it."""
FIRST = {"experiments", "_alembic_tmp_experiments"}
"""The first table that MLflow creates, and its name while a migration copies it."""
FILLED = {"alembic_version", "workspaces"}
"""Tables in which MLflow's migrations themselves put rows."""
_creating = threading.Lock()


def create_database(file: Path) -> None:
    """Creates a database with MLflow's tables, unless there is one that has been used.

    It gets its name when it is complete, so that neither a kill nor a full disk leaves a part of
    it, which MLflow could neither use nor complete. A database that has never been used may be
    such a part, left by MLflow itself, and is replaced.

    Raises:
        OSError: it cannot be written.
        sqlite3.Error: the file that is there cannot be read.
    """
    with _creating:  # The trackers of a study and of its race share a database.
        if file.exists() and not never_used(file):
            return
        partial = file.with_name(f"{file.name}.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")
        try:
            with partial.open("wb") as opened:
                opened.write(_new_database())
                opened.flush()
                os.fsync(opened.fileno())
            file.unlink(missing_ok=True)
            for suffix in BESIDE:  # Sqlite would apply a journal to the new database.
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            _rename(partial, file)
            sync_names(file.parent)
        finally:
            partial.unlink(missing_ok=True)


def never_used(file: Path) -> bool:
    """Whether a database is empty, or has MLflow's tables, some or all, without anything in them.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {str(name) for (name,) in tables}
        return not names or (
            not FIRST.isdisjoint(names)
            and not any(_has_rows(connection, name) for name in names - FILLED)
        )


def _has_rows(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone() is not None


def _rename(partial: Path, file: Path) -> None:
    """Gives a file its name; the database of another study that came first stays in place."""
    try:
        os.link(partial, file)
    except FileExistsError:
        pass
    except OSError:  # The file system has no hard links.
        partial.replace(file)


@functools.cache
def _new_database() -> bytes:
    """Returns the content of a database with MLflow's tables; making them takes seconds."""
    import_mlflow()
    import sqlalchemy
    from mlflow.store.db.utils import _initialize_tables
    from sqlalchemy.pool import StaticPool

    engine = sqlalchemy.create_engine("sqlite://", poolclass=StaticPool)
    try:
        _initialize_tables(engine)
        with closing(engine.raw_connection()) as connection:
            sqlite: Any = connection.driver_connection
            content: bytes = sqlite.serialize()
            return content
    finally:
        engine.dispose()
