"""The token that a Ray cluster requires; without one, anyone who reaches it can run code there."""

import os
from pathlib import Path

from study.errors import InputError


def check_token(address: str | None, no_token: bool) -> None:
    """Checks that there is a token for a cluster; with `no_token`, sets Ray to use none.

    Raises:
        InputError: Ray is set to use no token, or there is none; or no cluster is to be joined.
    """
    if address is None:
        if no_token:
            raise InputError(
                "--no-token: must be given with --address, as Ray on this machine always requires "
                "a token, but got no --address; leave it out"
            )
        return
    if no_token:
        os.environ["RAY_AUTH_MODE"] = "disabled"
        return
    mode = os.environ.get("RAY_AUTH_MODE") or "token"
    if mode.lower() != "token":
        raise InputError(
            "RAY_AUTH_MODE: must be token, as anyone who reaches a cluster without tokens can run "
            f"code there as you, but got {mode!r}; unset it, or give --no-token"
        )
    if not _has_token():
        raise InputError(
            f"--address {address}: the cluster's token must be in RAY_AUTH_TOKEN, in the file of "
            "RAY_AUTH_TOKEN_PATH or in ~/.ray/auth_token, but got none; put it there (see "
            "study/cluster/README.md), or give --no-token if the cluster has none"
        )


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    file = os.environ.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser("~/.ray/auth_token")  # noqa: PTH111
    try:
        return bool(Path(file).read_bytes().strip())
    except OSError:
        return False
