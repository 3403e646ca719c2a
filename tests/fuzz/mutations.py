"""Random damage of bytes and of JSON-like values, and a limit in time, for the fuzz tests.

All randomness comes from the `random.Random` that a caller passes, so that a case is known by its
seed.
"""

import copy
import random
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e-320, 1e308,
    float("nan"), float("inf"), float("-inf"), "", " ", "0", "-1", "1e999", "nan", "None", "\x00",
    "\x1b[31m", "a" * 5000, "é", "\ud800", "../..", "/", "~", "file:///x", [], [[]], [None], {},
    {"": 0}, {"type": "float"}, [0, 1],
)  # fmt: skip
"""Values that no field expects: wrong types, limits of numbers, odd strings."""
ODD_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n\n",
    b'"',
    b"{",
    b"]",
    b",",
    b"\x1a",
)


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """Returns `data` with one to four kinds of damage.

    The kinds: flipped, deleted, repeated, zeroed and inserted stretches, a cut end, an exchange of
    two stretches.
    """
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(damaged) + 1)
        end = min(len(damaged), start + rng.choice((1, 1, 2, 8, 64, 512, 4096)))
        match rng.randrange(7):
            case 0:
                for at in range(start, min(end, start + 8)):
                    damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                del damaged[start:end]
            case 2:
                damaged[end:end] = damaged[start:end]
            case 3:
                damaged[start:end] = bytes(end - start)
            case 4:
                damaged[start:start] = rng.choice(ODD_BYTES) * rng.choice((1, 1, 3, 1000))
            case 5:
                del damaged[start:]
            case 6:
                other = rng.randrange(len(damaged) + 1)
                damaged[other:other], damaged[start:end] = damaged[start:end], damaged[other:other]
    return bytes(damaged)


def damaged_value(value: Any, rng: random.Random) -> Any:
    """Returns a copy of a JSON-like `value` with one place changed.

    The place is a random leaf or container of it; it is replaced by an odd value, removed,
    renamed, repeated, or nested.
    """
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    if not places:
        return rng.choice(ODD_VALUES)
    container, key = rng.choice(places)
    match rng.randrange(6):
        case 0 | 1 | 2:
            container[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        case 3:
            del container[key]
        case 4:
            container[key] = nested(container[key], rng.choice((1, 3, 30)))
        case 5 if isinstance(container, dict):
            container[rng.choice(("", "x", str(key).upper(), f"{key}_"))] = container.pop(key)
        case _:
            container.insert(key, copy.deepcopy(container[key]))
    return changed


def nested(value: Any, depth: int) -> Any:
    """Returns `value` in `depth` lists, one in the other."""
    for _ in range(depth):
        value = [value]
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, child in items:
        yield value, key
        yield from _places(child)


class TookTooLong(BaseException):
    """A block took too long; not an Exception, so that no `except` swallows it."""


@contextmanager
def time_limit(seconds: float, what: object) -> Iterator[None]:
    """Raises TookTooLong in the main thread when the block takes more than `seconds`."""

    def expired(_signal: int, _frame: object) -> None:
        raise TookTooLong(f"{what} took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
