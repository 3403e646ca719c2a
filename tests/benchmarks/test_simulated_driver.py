"""The simulated driver and the measurement of its cost."""

from collections import Counter
from pathlib import Path

from tests.benchmarks.bench_driver import Parts
from tests.benchmarks.simulated_driver import Driver, driver_spec, open_ledger


def test_each_trial_ends_and_each_report_is_journalled_once(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study", driver_spec(12, 4, "search.sampler={name: random}"))
    driver = Driver(ledger, concurrent=5)
    running = [len(ledger.record.in_state("running")) for _ in driver.run()]
    assert max(running) == 5
    assert running[-1] == 0
    assert len(ledger.record.trials) == driver.suggestions == 12
    kinds = Counter(event.event for event in ledger.journal.read())
    assert kinds["report"] == kinds["decision"] == driver.reports
    assert kinds["created"] == kinds["ended"] == 12


def test_a_journal_is_resumed_where_it_ends(tmp_path: Path) -> None:
    spec = driver_spec(6, 4, "search.sampler={name: random}")
    for _ in Driver(open_ledger(tmp_path / "study", spec), concurrent=2).run():
        break
    ledger = open_ledger(tmp_path / "study", spec)
    assert len(ledger.record.in_state("running")) == 2
    for _ in Driver(ledger, concurrent=2).run():
        pass
    assert len(ledger.record.trials) == 6
    assert ledger.complete


def test_the_parts_of_the_cost_are_counted_once(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "study", driver_spec(4, 4, "search.sampler={name: random}"))
    driver = Driver(ledger, concurrent=2)
    heard = []
    ledger.listeners = [lambda event, record: heard.append(sum(range(20_000)))]
    parts = Parts(ledger, driver.searcher, driver.scheduler)
    for _ in driver.run():
        pass
    assert len(heard) == len(ledger.journal.read()) - 1
    assert all(seconds > 0 for seconds in parts.seconds.values())
