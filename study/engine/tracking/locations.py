"""Where the files of runs are, for a database in a folder that may be moved or copied.

MLflow keeps absolute addresses of the files of every experiment, run and model in its database.
The files themselves are in `mlartifacts/` beside it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from study.storage.folder import StudyFolder

FOLDER = "mlartifacts"
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)


def artifact_location(file: Path) -> str:
    """Returns the address of the files that belong to a database."""
    return (file.absolute().parent / FOLDER).as_uri()


def outdated_locations(file: Path) -> list[str]:
    """Returns the addresses in a database that are those of another folder, where it was before.

    A database that several studies share may have experiments elsewhere, so there only folders
    that are gone count. Writes nothing.
    """
    own = StudyFolder(file.parent).journal.is_file()
    if not (file.parent / FOLDER).is_dir():
        return []
    query = "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE ?"
    try:
        address = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            found = [str(row[0]) for row in connection.execute(query, [f"file://%/{FOLDER}"])]
    except sqlite3.DatabaseError:  # It has no tables yet, or is damaged.
        return []
    others = [address for address in found if address != artifact_location(file)]
    return [address for address in others if own or not _folder(address).exists()]


def gone_locations(file: Path) -> list[str]:
    """Returns the outdated addresses of folders that are gone, with the files that were there."""
    return [address for address in outdated_locations(file) if not _folder(address).exists()]


def repair_locations(file: Path) -> list[str]:
    """Replaces outdated addresses by those beside the database; returns the outdated ones.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    outdated = outdated_locations(file)
    if outdated:
        here = artifact_location(file)
        with closing(sqlite3.connect(file)) as connection, connection:
            for address in outdated:
                for table, column in COLUMNS:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        [here, len(address) + 1, address, len(address) + 1, f"{address}/"],
                    )
    return outdated


def _folder(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))
