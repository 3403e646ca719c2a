"""A limit on the total time of a network request."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, action: Callable[[], T]) -> T:
    """Returns the result of `action`, or raises what it raises.

    Unlike the timeout of a socket, the limit covers name resolution and servers that answer a
    byte at a time. After a timeout the action continues in a daemon thread, so it must have no
    side effects.

    Raises:
        TimeoutError: the action has not ended after `seconds`.
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
            raise  # Raised by the action itself.
        raise TimeoutError(f"no answer within {seconds:g} s") from error
