"""A limit on how long a question to the network may take, whatever part of it is slow."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, action: Callable[[], T]) -> T:
    """Returns the result of `action`, or raises what it raises.

    The time-out of a socket does not cover the look-up of a name, nor a server that sends a byte
    now and then; this limit does. An action that is late goes on in a daemon thread, so it must
    not change anything.

    Raises:
        TimeoutError: no result after `seconds`.
    """
    future: Future[T] = Future()

    def act() -> None:
        try:
            future.set_result(action())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=act, daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError as error:
        if future.done():
            raise  # The action's own, which says more.
        raise TimeoutError(f"no answer within {seconds:g} s") from error
