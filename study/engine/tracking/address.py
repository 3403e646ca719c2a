"""The tracking address of a study, and checks of it that do not import MLflow."""

import base64
import functools
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from study.deadline import within
from study.errors import InputError
from study.storage.stored import StoredStudy

_EXPERIMENTS = "/api/2.0/mlflow/experiments/search?max_results=1"


def tracking_address(stored: StoredStudy, given: str | None) -> str | None:
    """Returns the tracking address of a study; None for the database in its folder.

    Without `given`, a resumed study keeps its recorded address.
    """
    if given is None:
        return stored.tracking
    file = database(given)
    if file is None:
        return given
    return None if file == stored.folder.mlflow.absolute() else f"sqlite:///{file}"


def check_tracking(stored: StoredStudy, given: str | None) -> str | None:
    """Checks the tracking address of a study; returns a warning, None without one.

    That a resumed study's own server does not respond is only a warning: results do not depend on
    it.

    Raises:
        InputError: the address cannot be used; see `check_tracking_uri`.
    """
    uri = tracking_address(stored, given)
    if uri is None:
        return None
    if given is not None:
        check_tracking_uri(uri)
    elif not _is_http(uri):
        own = f"--tracking-uri sqlite:///{stored.folder.mlflow}"
        check_tracking_uri(uri, " (the study's so far)", f"track it in its folder with {own}")
    elif (reason := _connection_error(uri)) is not None:
        return (
            f"MLflow at {uri} does not respond ({reason}); the study continues, and the missing "
            "results are sent when the server is back or by a later --resume"
        )
    return None


def check_tracking_uri(uri: str, whose: str = "", otherwise: str = "leave the option out") -> None:
    """Checks that a tracking server responds within two seconds, or that a database is usable.

    For messages, `whose` is the origin of the address and `otherwise` the alternative to it.

    Raises:
        InputError: the address is neither a server's nor a sqlite database's, or cannot be used.
    """
    option = f"--tracking-uri {uri}{whose}"
    file = database(uri)
    if file is not None:
        try:
            _check_database(file, option, otherwise)
        except OSError as error:
            raise InputError(
                f"{option[:100]}: the database must be a file that can be opened, but got "
                f"{error.strerror}; give another name, or {otherwise}"
            ) from None
        return
    if not _is_http(uri):
        raise InputError(
            f"{option}: must start with http://, https:// or sqlite:///, but got another address; "
            "leave the option out for a database in the study folder"
        )
    reason = _connection_error(uri)
    if reason is not None:
        raise InputError(
            f"{option}: a tracking server must respond to /health and to a search of its "
            f"experiments, but got {reason}; "
            f"start it (mlflow server), correct the address, or {otherwise}"
        )


def _check_database(file: Path, option: str, otherwise: str) -> None:
    """Checks that a file is a sqlite database or can be created as one.

    Raises:
        InputError: it is another file, or its folder does not exist or cannot be written.
        OSError: the system cannot tell, as for a name that is too long.
    """
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


def _is_http(uri: str) -> bool:
    """Whether an address is one of a server, even if the rest of it is malformed."""
    return uri.strip().partition(":")[0].lower() in ("http", "https")


def _connection_error(uri: str) -> str | None:
    """Returns why the tracking server at a web address cannot be used, None if it responds."""
    base = uri.rstrip("/")
    try:
        urlsplit(uri)  # As MLflow's client does; raises for an unclosed bracket.
        # Another server may respond to /health too, or refuse requests without a password.
        for path in ("/health", _EXPERIMENTS):
            request = urllib.request.Request(base + path, headers=_credentials())
            within(1.5, functools.partial(_send, request))
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # Otherwise the connection stays open.
        # On one line: what another service answers may end with a line break.
        return " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    return None


def database(uri: str) -> Path | None:
    """Returns the file of a sqlite address, None for any other address."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)).absolute() if uri.startswith(prefix) else None


def _send(request: urllib.request.Request) -> None:
    urllib.request.urlopen(request).close()


def _credentials() -> dict[str, str]:
    """Returns the header that MLflow's client sends, from its environment variables."""
    user, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN")
    )
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _first_bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(15)
