"""The limit on questions to the network."""

import threading

import pytest

from study.deadline import within


def test_a_result_in_time_is_returned() -> None:
    assert within(10, lambda: 7) == 7


def test_what_the_action_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="its own"):
        within(10, lambda: int("its own"))


def test_an_action_that_is_late_is_not_waited_for() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        within(0.05, never.wait)
    never.set()
