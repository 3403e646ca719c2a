"""What is printed while a study runs: the view on a terminal, else a line per start and end."""

import io
import re

import pytest
from rich.console import Console

from study.engine.console.progress import Progress
from study.storage.events import TrialCrashed, TrialStalled
from study.storage.ledger import StudyLedger
from study.storage.live.building import study_snapshot
from tests.study.ledgers import OpenLedger, create, report


def progress_of(ledger: StudyLedger, console: Console) -> Progress:
    return Progress(
        console, lambda now: study_snapshot("s", ledger.spec, ledger.record, None, now)
    )


def test_without_a_terminal_there_is_a_line_with_the_time_for_each_start_and_end(
    open_ledger: OpenLedger,
) -> None:
    ledger, text = open_ledger(), io.StringIO()
    ledger.listeners = [progress_of(ledger, Console(file=text, width=300))]
    create(ledger, 0)
    report(ledger, 0, 1, 0.25)
    ledger.end(ledger.record.trials[0], "pruned", "below the rung")
    create(ledger, 1)
    ledger.end(ledger.record.trials[1], "failed", "the loss is not finite")
    started, stopped, _, failed = text.getvalue().splitlines()
    assert re.match(r"\d\d:\d\d:\d\d  trial   0 started    b0=6  bT=3", started)
    assert "trial   0 stopped early after 1/4 reports  dev_mcc 0.2500  b0=6" in stopped
    assert stopped.endswith(
        "[1 of 6: 0 complete, 1 stopped early, 0 failed, 0 running; time left not known yet]"
    )
    assert "failed (the loss is not finite) after 0/4 reports  dev_mcc -" in failed


def test_quiet_prints_nothing_but_warnings(
    open_ledger: OpenLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger()
    ledger.listeners = [progress_of(ledger, Console(quiet=True))]
    create(ledger, 0)
    ledger.append(TrialStalled(trial=0, minutes=3.0, limit=15.0))
    ledger.append(TrialCrashed(trial=0, attempt=1, fault=False, reason="stalled: killed"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "warning: trial 0: its worker has given no sign of life for 3 min; after 15 min it is "
        "killed and the trial tried again",
        "warning: trial 0: stalled: killed",
    ]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 10), (40, 12), (200, 60)])
def test_the_view_fits_the_terminal_and_shows_the_best_and_failures(
    open_ledger: OpenLedger, width: int, height: int
) -> None:
    ledger = open_ledger("search.trials=60")
    for number in range(40):
        create(ledger, number)
        report(ledger, number, 1, number / 100)
        ended = ("failed", "out of memory") if number % 9 == 4 else ("complete", "")
        ledger.end(ledger.record.trials[number], *ended)
    create(ledger, 40)
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    lines = progress_of(ledger, console).draw().plain.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert any("trial 39: dev_mcc 0.3900" in line for line in lines[:4])
    assert height < 24 or any("4: out of memory (trial 4, 13, 22, …)" in line for line in lines)


def test_a_terminal_is_left_as_it_was_after_an_interruption(open_ledger: OpenLedger) -> None:
    ledger, text = open_ledger(), io.StringIO()
    console = Console(file=text, width=80, height=24, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), progress_of(ledger, console):
        raise KeyboardInterrupt
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert text.getvalue().count(hidden) == text.getvalue().count(shown) == 1
    assert text.getvalue().rindex(shown) > text.getvalue().rindex(hidden)
