"""The tracking address of a study, and whether it can be used."""

import os
from dataclasses import dataclass

from study.engine.tracking.database import check_database, database, sqlite_uri
from study.engine.tracking.server import check_server, is_http, public, server_error, sign_in
from study.errors import InputError
from study.storage.stored import StoredStudy

VARIABLE = "MLFLOW_TRACKING_URI"
"""MLflow's variable for the address; a new study without another one uses it."""


@dataclass(frozen=True)
class _Address:
    """An address as it was given."""

    uri: str
    by: str = "--tracking-uri"
    """The option or variable, for messages."""
    otherwise: str = "leave the option out"
    """The alternative to it."""
    recorded: bool = False
    """Whether the journal has it."""


def tracking_address(stored: StoredStudy, given: str | None) -> str | None:
    """Returns the tracking address of a study; None for the database in its folder.

    Without `given`, a study keeps its recorded address, and a new one has that of the variable
    MLFLOW_TRACKING_URI. User and password are not in the result: see `sign_in`.
    """
    address = _address(stored, given)
    if address is None:
        return None
    if is_http(address.uri):
        return sign_in(address.uri)
    file = database(address.uri)
    if file is None:
        return address.uri
    return None if file == stored.folder.mlflow.absolute() else sqlite_uri(file)


def check_tracking(stored: StoredStudy, given: str | None) -> list[str]:
    """Checks the tracking address of a study; returns warnings.

    That a resumed study's own server does not respond is only a warning: results do not depend on
    it.

    Raises:
        InputError: the address cannot be used; see `check_tracking_uri`.
    """
    address = _address(stored, given)
    warnings = [] if given is not None else _ignored_variable(stored, address)
    if address is None or tracking_address(stored, given) is None:
        return warnings
    if not (address.recorded and is_http(address.uri)):
        whose = " (the study's so far)" if address.recorded else ""
        check_tracking_uri(address.uri, whose, address.otherwise, address.by)
    elif (reason := server_error(sign_in(address.uri))) is not None:
        warnings.append(
            f"MLflow at {public(address.uri)} does not respond ({reason}); the study continues, "
            "and the missing results are sent when the server is back or by a later --resume"
        )
    return warnings


def check_tracking_uri(
    uri: str,
    whose: str = "",
    otherwise: str = "leave the option out",
    by: str = "--tracking-uri",
) -> None:
    """Checks that a tracking server answers within seconds, or that a database is usable.

    For messages, `by` is the option with the address, `whose` its origin and `otherwise` the
    alternative to it.

    Raises:
        InputError: the address is neither a server's nor a sqlite database's, or cannot be used.
    """
    option = f"{by} {public(uri)}{whose}"
    if database(uri) is not None:
        check_database(uri, option, otherwise)
    elif is_http(uri):
        check_server(uri, option, otherwise)
    else:
        raise InputError(
            f"{option}: must start with http://, https:// or sqlite:///, but got another address; "
            "leave the option out for a database in the study folder"
        )


def _address(stored: StoredStudy, given: str | None) -> _Address | None:
    """Returns the address as it was given or recorded; None for the database in the folder."""
    if given is not None:
        return _Address(given)
    variable = os.environ.get(VARIABLE, "")
    if stored.opened is None:
        return _Address(variable, VARIABLE, "unset it") if _is_usable(variable) else None
    if stored.tracking is None:
        return None
    # The variable may have the password, which is not recorded.
    same = public(variable) == stored.tracking
    own = f"track it in its folder with --tracking-uri {sqlite_uri(stored.folder.mlflow)}"
    return _Address(variable if same else stored.tracking, otherwise=own, recorded=True)


def _is_usable(uri: str) -> bool:
    """Whether an address is one of a kind that a study can be tracked at."""
    return is_http(uri) or database(uri) is not None


def _ignored_variable(stored: StoredStudy, address: _Address | None) -> list[str]:
    """Returns a warning if MLFLOW_TRACKING_URI is set, but not used."""
    variable = os.environ.get(VARIABLE, "")
    if not variable or (address is not None and address.uri == variable):
        return []
    ignored = f"{VARIABLE}={public(variable)} is ignored: "
    if not _is_usable(variable):
        return [f"{ignored}it must start with http://, https:// or sqlite:///"]
    where = f"at {stored.tracking}" if stored.tracking else "in its folder"
    return [f"{ignored}the study is tracked {where}; change that with --tracking-uri"]
