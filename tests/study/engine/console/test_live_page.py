"""When the page of a running study is written."""

import time

import pytest

from study.engine.console.live_page import EVERY, SHARE, LivePage
from study.storage.events import Report, TrialEnded
from study.storage.record import StudyRecord

RECORD = StudyRecord("dev_mcc")
REPORT = Report(trial=0, report=1, step=1, metrics={})
END = TrialEnded(trial=0, state="complete", reason="")


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_page_is_written_at_each_end_and_each_minute() -> None:
    written: list[float] = []
    clock = Clock()
    page = LivePage(lambda: written.append(clock.now), clock)
    for clock.now, event in [
        (1.0, REPORT),
        (2.0, END),
        (3.0, REPORT),
        (2.0 + EVERY - 1, REPORT),
        (2.0 + EVERY, REPORT),
        (4.0 + EVERY, END),
    ]:
        page(event, RECORD)
    assert written == [2.0, 2.0 + EVERY, 4.0 + EVERY]


def test_writing_costs_less_than_half_a_percent_of_a_core() -> None:
    clock = Clock()

    def write() -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass

    page = LivePage(write, clock)
    page(END, RECORD)
    assert page.spent >= 0.02
    clock.now = 0.9 * SHARE * 0.02
    page(END, RECORD)
    first = page.spent
    clock.now = SHARE * first + 0.001
    page(REPORT, RECORD)
    assert page.spent >= first + 0.02
    assert first / clock.now <= 1 / SHARE


def test_a_page_that_cannot_be_written_is_a_warning_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()

    def write() -> None:
        raise ValueError("no template")

    page = LivePage(write, clock)
    for clock.now in (1.0, 1e6):
        page(END, RECORD)
    assert capsys.readouterr().err == (
        "warning: report.html is not written while the study runs: ValueError: no template\n"
    )
