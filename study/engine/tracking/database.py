"""The addresses of sqlite databases, and checks of them that do not import MLflow."""

import os
from pathlib import Path
from urllib.parse import unquote

from study.errors import InputError

PREFIX = "sqlite:///"


def sqlite_uri(file: Path) -> str:
    """Returns the address of a database; `database` is the way back.

    What SQLAlchemy would read as something else than a name is quoted.
    """
    name = str(file.absolute()).replace("%", "%25").replace("?", "%3F")
    return f"{PREFIX}{name}"


def database(uri: str) -> Path | None:
    """Returns the file of a sqlite address, as SQLAlchemy reads it; None for another address."""
    if not uri.startswith(PREFIX):
        return None
    return Path(unquote(uri.removeprefix(PREFIX).partition("?")[0])).absolute()


def check_database(uri: str, option: str, otherwise: str) -> None:
    """Checks that a sqlite address names a database, or a file that can become one.

    For messages, `option` is the option with the address, `otherwise` the alternative to it.

    Raises:
        InputError: it names another file, or one in a folder that does not exist or cannot be
            written; or it has a query.
    """
    file = database(uri)
    assert file is not None
    if "?" in uri:
        raise InputError(
            f"{option}: must be the name of a file only, but got a query after '?'; leave it out, "
            "or write %3F for a question mark in the name"
        )
    if file.name == ":memory:":
        raise InputError(
            f"{option}: the database must be a file, but got one in memory; name a file, or "
            f"{otherwise}"
        )
    if not str(file).isprintable():
        raise InputError(
            f"{option}: the database must have a name of printable characters, but got others; "
            f"give another name, or {otherwise}"
        )
    try:
        _check_file(file, option, otherwise)
    except OSError as error:  # For example a name that is too long.
        raise InputError(
            f"{option[:100]}: the database must be a file that can be opened, but got "
            f"{error.strerror}; give another name, or {otherwise}"
        ) from None


def _check_file(file: Path, option: str, otherwise: str) -> None:
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise InputError(
            f"{option}: the database must be in a folder that can be written, but got "
            f"{file.parent}; create it, or {otherwise}"
        )
    if file.is_dir():
        raise InputError(
            f"{option}: the database must be a file, but got the folder {file}; "
            f"name a file in it, or {otherwise}"
        )
    if file.is_file() and _first_bytes(file) not in (b"", b"SQLite format 3"):
        raise InputError(
            f"{option}: must be a sqlite database, but got another kind of file; give another name"
        )


def _first_bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(15)
