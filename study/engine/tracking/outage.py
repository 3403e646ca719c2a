"""Why MLflow cannot be reached or written, in one line, with what to install or set."""

import re

from study.errors import one_line, without_user

PASSWORD = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
PACKAGES = {"google": "google-cloud-storage", "azure": "azure-storage-blob azure-identity"}
"""First part of a module's name -> what to install, if it has another name."""
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and MLFLOW_S3_ENDPOINT_URL for a server "
    "that is not Amazon's",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "wasbs": "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCESS_KEY",
    "abfss": "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
}
"""Scheme of a storage of files -> what its client reads."""
_PLAIN = ("mlflow", "sqlalchemy", "sqlite3")
"""Packages whose messages can be understood without the type of the exception."""


class FilesError(Exception):
    """The files of a run cannot be stored; `__cause__` is the reason."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def reason(error: BaseException) -> str:
    """Returns the root cause of an exception with what to do about it, in one line."""
    if isinstance(error, FilesError) and error.__cause__ is not None:
        scheme = error.location.partition(":")[0]
        text = f"files at {without_user(error.location)}: {reason(error.__cause__)}"
        if isinstance(error.__cause__, ImportError) or scheme not in CREDENTIALS:
            return text
        return f"{text}; {scheme}:// needs {CREDENTIALS[scheme]}"
    advice = PASSWORD if _http_status(error) in (401, 403) else ""
    root = _root(error)
    if isinstance(root, ModuleNotFoundError) and root.name:
        package = root.name.partition(".")[0]
        advice = f"install it here: pip install {PACKAGES.get(package, package)}"
    return "; ".join(filter(None, (_text(root), advice)))


def _root(error: BaseException) -> BaseException:
    """Returns the first exception of a chain that has a message, such as a refused connection."""
    root, below = error, _below(error)
    while below is not None:
        root = below if str(below) else root
        below = _below(below)
    return root


def _below(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _text(error: BaseException) -> str:
    """Returns the first line of a message, after the type if only that makes it clear."""
    kind = type(error)
    text = one_line(next(iter(str(error).splitlines()), ""))
    if text and (
        isinstance(error, OSError | ImportError) or kind.__module__.partition(".")[0] in _PLAIN
    ):
        return text
    return f"{kind.__name__}: {text}" if text else kind.__name__


def _http_status(error: BaseException) -> int | None:
    """Returns the status of a server's answer, None if there is none."""
    match = re.search(r"failed with error code (\d{3})\b", str(error))
    return int(match[1]) if match else None
