"""Whether Ray requires a token, and which: anyone who reaches a Ray without can run code there.

Ray reads RAY_AUTH_MODE and RAY_AUTH_TOKEN from the environment, for this process when it is
imported, and for others when they start.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]


@contextmanager
def authentication(settings: Mapping[str, str]) -> Iterator[None]:
    """Gives Ray, in this process and those it starts, other settings from the environment."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    _read_again()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        _read_again()


def _read_again() -> None:
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
