"""The addresses of tracking servers, and a check that one answers as MLflow's client expects."""

import json
import os
import re
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from study.deadline import within
from study.engine.tracking.client import import_mlflow
from study.engine.tracking.outage import PASSWORD, reason
from study.errors import InputError

ANSWER_SECONDS = 5.0
SEARCH = "/api/2.0/mlflow/experiments/search"
KEYS = {"experiments", "next_page_token"}
"""The keys of an answer to `SEARCH`; one without experiments has none of them."""


def is_http(uri: str) -> bool:
    """Whether an address is one of a server, even if the rest of it is malformed."""
    return uri.partition(":")[0].lower() in ("http", "https")


def public(uri: str) -> str:
    """Returns an address, also a malformed one, without user and password."""
    return re.sub(r"(?<=://).*@", "", uri, flags=re.DOTALL)


def sign_in(uri: str) -> str:
    """Returns a server's address without user and password.

    They are set as MLflow's variables for them, so that no message, journal or page has them.
    """
    parts = _parts(uri)
    if parts is None:
        return public(uri)
    user, _, host = parts.netloc.rpartition("@")
    if user:
        name, _, password = user.partition(":")
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(name)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    return urlunsplit(parts._replace(netloc=host))


def check_server(uri: str, option: str, otherwise: str) -> None:
    """Checks that a tracking server answers within `ANSWER_SECONDS`.

    For messages, `option` is the option with the address, `otherwise` the alternative to it.

    Raises:
        InputError: the address is malformed or has more than host, port, path, user and password,
            or no tracking server answers there.
    """
    parts = _parts(uri)
    if parts is None or not parts.hostname:
        raise InputError(
            f"{option}: must be http://HOST:PORT or https://HOST, but got an address that cannot "
            "be read; correct it (special characters of a user or password are written as "
            f"%2F, %40 and so on), or {otherwise}"
        )
    if "?" in uri or "#" in uri:
        page = urlunsplit(parts._replace(query="", fragment="")).rstrip("/")
        advice = f"leave it out, or {otherwise}" if "@" in uri else f"give {page}, or {otherwise}"
        found = "'?'" if "?" in uri else "'#'"
        raise InputError(
            f"{option}: must be the address of a server, not of a page, but got one with {found}; "
            f"{advice}"
        )
    if "@" in parts.netloc and not (parts.username and parts.password):
        raise InputError(
            f"{option}: user and password must both be in the address, but got one of them; give "
            f"http://USER:PASSWORD@HOST, or {PASSWORD}"
        )
    error = server_error(sign_in(uri))
    if error is not None:
        raise InputError(
            f"{option}: a tracking server must answer a search of its experiments, but got "
            f"{error}; start it (mlflow server), correct the address, or {otherwise}"
        )


def server_error(uri: str) -> str | None:
    """Returns why the tracking server at an address cannot be used, None if it can be.

    The request is as MLflow sends it: with the credentials, certificates, plugins and proxies of
    its environment variables.
    """
    import_mlflow()  # Before the time is taken.
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    ask = partial(
        http_request,
        *(get_default_host_creds(uri), SEARCH, "GET"),
        params={"max_results": 1},
        max_retries=0,
        timeout=ANSWER_SECONDS,
        raise_on_status=False,
    )
    try:
        return _answer_error(within(ANSWER_SECONDS, ask))
    except Exception as error:  # Plugins may raise anything.
        return reason(error)


def _parts(uri: str) -> SplitResult | None:
    """Returns the parts of a web address, None if it is malformed."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:  # Its text may have a part of a password.
        return None
    # After the host, an @ is the end of a password with a / or # in it.
    late = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    return None if late or not unquote(uri).isprintable() else parts


def _answer_error(response: Any) -> str | None:
    """Returns what is wrong with a server's answer, None if it is one of MLflow's."""
    status, text = response.status_code, response.text
    if status != HTTPStatus.OK:
        refused = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        advice = f" ({PASSWORD})" if refused else ""
        return f"{status} {response.reason}{_detail(text)}{advice}"
    try:
        answer = json.loads(text)
    except ValueError:
        return "an answer that is not JSON, so not one of MLflow"
    if not isinstance(answer, dict) or not answer.keys() <= KEYS:
        return "an answer without experiments, so not one of MLflow"
    return None


def _detail(text: str) -> str:
    """Returns the message in an answer with an error, as text to append."""
    line = next(iter(text.strip().splitlines()), "")
    return "" if not line or line.startswith("<") else f", {line[:200]}"
