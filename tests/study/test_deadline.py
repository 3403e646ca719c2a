"""The time limit of network requests."""

import threading

import pytest

from study.deadline import within


def test_a_result_in_time_is_returned() -> None:
    assert within(10, lambda: 7) == 7


def test_errors_of_the_action_are_raised() -> None:
    with pytest.raises(ValueError, match="its own"):
        within(10, lambda: int("its own"))


def test_an_action_that_exceeds_the_deadline_is_abandoned() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        within(0.05, never.wait)
    never.set()
