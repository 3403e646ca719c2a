"""Where a study is tracked, and whether something answers there; without importing MLflow."""

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
from study.storage.events import tracking_of
from study.storage.folder import StudyFolder
from study.storage.journal import parse_events

_EXPERIMENTS = "/api/2.0/mlflow/experiments/search?max_results=1"


def tracking_address(folder: StudyFolder, given: str | None) -> str | None:
    """Returns where a study is tracked: at `given`, else where it has been; None: in its folder.

    A study goes on where it was tracked, even if whoever resumes it forgets to say so.
    """
    if given is None:
        return _address_so_far(folder)
    file = database(given)
    if file is None:
        return given
    return None if file == folder.mlflow.absolute() else f"sqlite:///{file}"


def check_tracking(folder: StudyFolder, given: str | None) -> str | None:
    """Checks the address at which a study is to be tracked; returns a warning, if there is one.

    The server that a study has been tracked on may be away for a while: results do not depend on
    it.

    Raises:
        InputError: the address cannot be used; see `check_tracking_uri`.
    """
    uri = tracking_address(folder, given)
    if uri is None:
        return None
    if given is not None:
        check_tracking_uri(uri)
    elif not _is_of_the_web(uri):
        own = f"--tracking-uri sqlite:///{folder.mlflow}"
        check_tracking_uri(uri, " (the study's so far)", f"track it in its folder with {own}")
    elif (reason := _silence(uri)) is not None:
        return (
            f"MLflow at {uri} does not answer ({reason}); the study goes on, and what it lacks is "
            "sent when it is back or by a later --resume"
        )
    return None


def check_tracking_uri(uri: str, whose: str = "", otherwise: str = "leave the option out") -> None:
    """Checks that a tracking server answers, within two seconds and without importing MLflow.

    `whose` says in a message where the address is from, `otherwise` what to do without it.

    Raises:
        InputError: the address is not a server's or a sqlite database's, or nothing answers.
    """
    option = f"--tracking-uri {uri}{whose}"
    file = database(uri)
    if file is not None:
        try:
            _check_database(file, option, otherwise)
        except OSError as error:
            raise InputError(
                f"{option[:100]}: the database must be a file that can be opened, but: "
                f"{error.strerror}; give another name, or {otherwise}"
            ) from None
        return
    if not _is_of_the_web(uri):
        raise InputError(
            f"{option}: it must start with http://, https:// or sqlite:///, as MLflow "
            "stores files no longer; leave it out for a database in the study folder"
        )
    reason = _silence(uri)
    if reason is not None:
        raise InputError(
            f"{option}: a tracking server must answer at /health, and to questions "
            f"about its experiments, but: {reason}; "
            f"start it (mlflow server), mend the address, or {otherwise}"
        )


def _check_database(file: Path, option: str, otherwise: str) -> None:
    """Checks that a file is a sqlite database, or that one can be made there.

    Raises:
        InputError: it is something else, or there is no folder for it.
        OSError: the system cannot say, as for a name that is too long.
    """
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise InputError(
            f"{option}: the database must lie in a folder that can be written, "
            f"but {file.parent} is none; create it, or {otherwise}"
        )
    if file.is_dir():
        raise InputError(
            f"{option}: the database must be a file, but {file} is a folder; "
            f"name a file in it, or {otherwise}"
        )
    if file.is_file() and _start_of(file) not in (b"", b"SQLite format 3"):
        raise InputError(
            f"{option}: the file must be a sqlite database, but {file} is "
            "something else; give another name"
        )


def _is_of_the_web(uri: str) -> bool:
    """Whether an address is meant for a server; the rest of it need not be well formed."""
    return uri.strip().partition(":")[0].lower() in ("http", "https")


def _silence(uri: str) -> str | None:
    """Returns why no tracking server can be had at a web address, None if it answers."""
    base = uri.rstrip("/")
    try:
        urlsplit(uri)  # MLflow's client reads it so, and raises for a bracket that is not closed.
        # Something else may answer at /health too, or refuse whoever has no password.
        for path in ("/health", _EXPERIMENTS):
            question = urllib.request.Request(base + path, headers=_credentials())
            within(1.5, functools.partial(_ask, question))
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # It holds the connection.
        return str(getattr(error, "reason", error) or type(error).__name__)
    return None


def database(uri: str) -> Path | None:
    """Returns the file of a sqlite address, None for any other."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)).absolute() if uri.startswith(prefix) else None


def _address_so_far(folder: StudyFolder) -> str | None:
    if not folder.journal.exists():
        return None
    events = parse_events(folder.journal, folder.journal.read_bytes())
    return tracking_of(events) or None


def _ask(question: urllib.request.Request) -> None:
    urllib.request.urlopen(question).close()


def _credentials() -> dict[str, str]:
    """The header that MLflow's client sends, from the variables that it reads."""
    user, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD", "TOKEN")
    )
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _start_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(15)
