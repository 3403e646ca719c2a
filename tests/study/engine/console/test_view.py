"""A snapshot as lines: widths, curves, times, the race and runs."""

from dataclasses import replace

import pytest

from study.engine.console.view import duration, plain, sparkline, time_left_text, view
from study.storage.events import TrialCreated, TrialStalled
from study.storage.live.building import runs_snapshot, study_snapshot
from study.storage.record import StudyRecord
from study.storage.result.estimates import Estimate
from study.storage.result.fields import Headline, Light
from study.storage.result.time_left import TimeLeft
from tests.study.ledgers import OpenLedger, create, report


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([0.5], "▁"),
        ([0.0, 0.5, 1.0], "▁▅█"),
        ([0.0, None, 1.0], "▁x█"),
        ([None, None], "xx"),
        ([float(n) for n in range(30)], "▅▆▆▆▆▇▇▇▇███"),
    ],
)
def test_a_curve_is_drawn_with_the_latest_reports(values: list[float | None], text: str) -> None:
    assert sparkline(values) == text
    assert sparkline(values, unicode=False).isascii()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (125, "2 min 05 s"), (3 * 3600 + 300, "3 h 05 min")],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
    assert duration(5e5) == "5 days 18 h"


def test_the_time_left_is_given_with_its_interval() -> None:
    assert time_left_text(None) == "time left not known yet"
    assert time_left_text(TimeLeft(600.0, 420.0, 900.0)) == "about 10 min left (7 min to 15 min)"
    assert time_left_text(TimeLeft(0.0, 0.0, 41.0)) == "about 5 s left (5 s to 40 s)"
    assert time_left_text(TimeLeft(9e3, 7e3, 3e5)) == "about 2.5 h left (1.9 h to 3.5 days)"


def test_a_study_without_a_sign_of_life_has_no_time_left(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    shown = replace(study_snapshot("s", ledger.spec, ledger.record, None, 0.0), silent=600.0)
    text = plain(view(shown))
    assert "no sign of life for 10 min 00 s: interrupted? --resume continues" in text
    assert "time left" not in text
    assert "time left not known yet" in plain(view(replace(shown, silent=1.0)))


def test_the_best_is_given_with_the_seeds_that_failed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    dev = Estimate("dev_mcc", (0.4, 0.6), 1, 0, 2, 0.5, 0.1, 0.5, 0.3, 0.7, None)
    seeds = ({"init": 1}, {"init": 2}, {"init": 3})
    best = Headline(4, {}, {}, True, True, {"dev_mcc": dev}, {}, seeds, 0.6, 0.1, {})
    snapshot = study_snapshot("s", ledger.spec, ledger.record, None, 0.0)
    text = plain(view(replace(snapshot, headline=best), width=100))
    assert (
        "trial 4: dev_mcc 0.500 (0.300 to 0.700); 3 fresh seeds, 1 of 3 failed, none collapsed"
        in text
    )


def test_rungs_running_and_stalled_trials_are_shown(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for number in range(2):
        create(ledger, number)
    report(ledger, 0, 1, 0.2)
    report(ledger, 0, 2, None)
    ledger.append(TrialStalled(trial=1, minutes=4.0, limit=15.0))
    text = plain(view(study_snapshot("s", ledger.spec, ledger.record, None, 0.0)))
    assert "best     none yet: no trial is complete" in text
    assert "rungs    report 1: no trial has reached it" in text
    assert "  trial   0   2/4         ▁x" in text
    assert "  trial   1   0/4" in text
    assert "no sign of life for 4 min" in text


def test_names_of_users_cannot_draw_on_the_terminal(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    ledger.end(ledger.record.trials[0], "failed", "\x1b[2Jgone\nand [red]red[/red]")
    lines = view(study_snapshot("\x1b]0;x", ledger.spec, ledger.record, None, 0.0), unicode=False)
    assert all(line.text.isprintable() and line.text.isascii() for line in lines)
    assert "?[2Jgone?and [red]red[/red]" in plain(lines)


def test_runs_are_grouped_by_configuration() -> None:
    record = StudyRecord("dev_mcc")
    for number, (label, mask) in enumerate([("best", 0), ("best", 1), ("lora", None)]):
        labels = {"configuration": label, "mask": mask, "init": 0, "data": 0}
        seeds = {"mask": 0, "init": 0, "data": 0}
        created = TrialCreated(
            trial=number,
            time=10.0 * number,
            params=labels,
            settings={},
            seeds=seeds,
            total_steps=10,
            reports=1,
            optuna={},
        )
        record.apply(created)
    text = plain(view(runs_snapshot("comparison", "c", record, 4, 30.0)))
    assert "  run     0 " in text
    assert "  trial " not in text
    assert "c: runs; 30 s, time left not known yet" in text
    assert "runs     0 of 4: 0 complete, 0 failed, 3 running" in text
    assert "  10 s  lora init 0 data 0" in text
    assert "stopped" not in text


def test_lights_that_are_on_are_shown(open_ledger: OpenLedger) -> None:
    snapshot = study_snapshot("s", (ledger := open_ledger()).spec, ledger.record, None, 0.0)
    lights = [Light(level, level, f"this is {level} " * 8) for level in ("bad", "unknown", "ok")]
    running = plain(view(replace(snapshot, health=tuple(lights))))
    over = plain(view(replace(snapshot, health=tuple(lights), phase="finished")))
    assert "health   bad: this is bad this is bad" in running
    assert "unknown" not in running
    assert "health   unknown: this is unknown" in over
    assert "this is ok" not in over
    assert max(map(len, over.splitlines())) <= 80
