"""The searcher of comparisons suggests the runs of a source, without Ray."""

import pickle
import threading
from collections import Counter
from collections.abc import Sequence

import pytest
import ray
from ray.tune.search import Searcher

from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.shared_prefixes import Prefixes
from study.storage.record import StudyRecord
from study.storage.runs import Source, key_of, latest_trials
from tests.study.engine.comparison.simulated import Driver
from tests.study.engine.comparison.small import ROWS, OpenLedger, configuration, crossed

BEST, NEVER = configuration(), configuration("never", "adapter.p=0")


def constant(runs: Sequence[ComparisonRun]) -> Source[ComparisonRun]:
    return lambda record: runs


def test_every_run_of_the_source_is_suggested_once_in_order(
    open_ledger: OpenLedger,
) -> None:
    runs = crossed(configuration("lone", "adapter.deltaT=1"), masks=3, blocks=2)
    driver = Driver(open_ledger(), constant(runs), concurrent=1)
    driver.finish()
    assert [config["params"] for config in driver.handed] == [run.labels for run in runs]
    assert driver.answers[-1] == Searcher.FINISHED
    assert {trial.state for trial in driver.ledger.record.trials.values()} == {"complete"}


def test_a_source_that_depends_on_results_is_called_again_after_each_round(
    open_ledger: OpenLedger,
) -> None:
    """As in a race: the better half of each round is run again."""
    all_ = [configuration(f"c{n}", f"training.lr=1e-{n}") for n in (2, 3, 4, 5)]

    def race(record: StudyRecord) -> list[ComparisonRun]:
        requested, left, latest = [], all_, latest_trials(record)
        for place in range(3):
            round_ = [ComparisonRun.of(c, mask=place, init=place, data=place) for c in left]
            requested += round_
            ends = {run.configuration.label: latest.get(key_of(run)) for run in round_}
            if any(trial is None or trial.state == "running" for trial in ends.values()):
                break
            scores = {c: trial.value or 0.0 for c, trial in ends.items() if trial is not None}
            left = sorted(left, key=lambda c: -scores[c.label])[: max(1, len(left) // 2)]
        return requested

    driver = Driver(open_ledger(), race, concurrent=3)
    driver.fill()
    while driver.running:
        label = driver.running[0].config["params"]["configuration"]
        driver.report(value=1 / int(label.removeprefix("c")))
        driver.fill()
    counts = Counter(
        trial.params["configuration"] for trial in driver.ledger.record.trials.values()
    )
    assert counts == {"c2": 3, "c3": 2, "c4": 1, "c5": 1}
    assert None in driver.answers  # No run was left to suggest while the last one of a round ran.
    assert driver.answers[-1] == Searcher.FINISHED


def test_a_run_waits_until_another_has_trained_the_shared_prefix(
    open_ledger: OpenLedger,
) -> None:
    runs = crossed(BEST, NEVER, masks=2, blocks=2)
    driver = Driver(open_ledger(), constant(runs), concurrent=4)
    driver.fill()
    blocks = [config["params"]["init"] for config in driver.handed]
    assert blocks == [200, 201]  # One run of each block trains the prefix, four others wait.
    assert driver.answers[-1] is None
    key = Prefixes(ROWS).key(runs[0])
    assert key is not None
    file = driver.ledger.folder.prefix(key)
    file.parent.mkdir()
    file.touch()
    driver.fill()
    assert [config["params"]["init"] for config in driver.handed] == [200, 201, 200, 200]
    assert {config["prefix"] for config in driver.handed[2:]} == {key}
    driver.finish()
    assert len(driver.handed) == len(runs)


def test_after_a_failure_the_next_run_trains_the_prefix(
    open_ledger: OpenLedger,
) -> None:
    driver = Driver(open_ledger(), constant(crossed(BEST, masks=3)), concurrent=3)
    driver.fill()
    assert len(driver.handed) == 1
    driver.report(train_loss=float("nan"))
    driver.fill()
    assert [config["params"]["mask"] for config in driver.handed] == [100, 101]
    assert driver.handed[1]["prefix"] is not None


def test_a_run_without_a_shared_prefix_saves_none(open_ledger: OpenLedger) -> None:
    driver = Driver(open_ledger(), constant(crossed(BEST, masks=1, blocks=2)))
    driver.fill()
    assert [config["prefix"] for config in driver.handed] == [None, None]


def test_more_seeds_add_only_the_missing_runs(open_ledger: OpenLedger) -> None:
    Driver(open_ledger(), constant(crossed(BEST, masks=2))).finish()
    more = crossed(BEST, NEVER, masks=3, blocks=2)
    driver = Driver(open_ledger(), constant(more))
    driver.finish()
    assert len(driver.handed) == len(more) - 2
    assert len(driver.ledger.record.trials) == len(more)


def test_an_interrupted_run_keeps_its_number_and_a_crashed_one_gets_a_new_one(
    open_ledger: OpenLedger,
) -> None:
    lone = configuration("lone", "adapter.deltaT=1")
    runs = crossed(lone, masks=3)
    first = Driver(open_ledger(), constant(runs), concurrent=2)
    first.fill()
    assert first.crash() == 0
    first.fill()
    first.report()
    assert first.running[0].config["trial"] == 0  # Repeated immediately.
    assert first.crash() == 0
    assert first.ledger.record.trials[0].state == "failed"
    first.fill()
    again = Driver(open_ledger(), constant(runs))
    again.finish()
    handed = [(config["params"]["mask"], config["trial"]) for config in again.handed]
    assert handed == [(100, 3), (101, 1), (102, 2)]
    latest = latest_trials(again.ledger.record)
    assert [latest[key_of(run)].state for run in runs] == ["complete"] * 3


def test_a_diverged_run_fails_and_is_not_repeated(open_ledger: OpenLedger) -> None:
    runs = crossed(BEST, masks=1)
    driver = Driver(open_ledger(), constant(runs))
    driver.fill()
    driver.report(train_loss=float("nan"))
    again = Driver(open_ledger(), constant(runs))
    again.fill()
    assert again.handed == []
    assert "diverged" in again.ledger.record.trials[0].reason


def test_runs_that_all_crash_before_a_report_end_the_comparison(open_ledger: OpenLedger) -> None:
    driver = Driver(open_ledger(), constant(crossed(BEST, masks=1, blocks=5)), concurrent=1)
    for _ in range(3):
        driver.fill()
        driver.crash()
    driver.fill()
    assert driver.answers[-1] == Searcher.FINISHED
    assert driver.searcher.gave_up == "the first 3 attempts all crashed before their first report"


def test_prefixes_are_deleted_when_no_run_needs_them(open_ledger: OpenLedger) -> None:
    runs = crossed(BEST, masks=2, blocks=2)
    driver = Driver(open_ledger(), constant(runs), concurrent=1)
    folder, keys = driver.ledger.folder, [Prefixes(ROWS).key(run) for run in runs]
    folder.prefixes.mkdir()
    for key in dict.fromkeys(keys):
        folder.prefix(str(key)).touch()
        folder.prefix(str(key)).with_suffix(".damaged").touch()
    driver.fill()
    driver.report(), driver.report()
    driver.prefixes.discard_unneeded(runs, driver.ledger.record)
    assert len(list(folder.prefixes.iterdir())) == 4
    driver.fill()
    driver.report(), driver.report()
    driver.prefixes.discard_unneeded(runs, driver.ledger.record)
    assert {file.stem for file in folder.prefixes.iterdir()} == {keys[-1]}
    driver.finish()
    driver.prefixes.discard_unneeded(runs, driver.ledger.record)
    assert list(folder.prefixes.iterdir()) == []


def test_searcher_and_recorder_can_be_pickled_with_listeners(
    open_ledger: OpenLedger,
) -> None:
    driver = Driver(open_ledger(), constant(crossed(BEST)))
    driver.fill()
    lock = threading.RLock()
    driver.ledger.listeners = [lambda event, record: lock.release()]
    for thing in (driver.searcher, driver.recorder):
        assert pickle.loads(ray.cloudpickle.dumps(thing)) is not None


@pytest.mark.parametrize(
    ("masks", "blocks", "expected"),
    [(5, 1, 4 * 2), (5, 9, 9 * 4 * 2), (1, 9, 0)],
)
def test_all_but_the_first_run_of_a_group_save_the_prefix(
    masks: int, blocks: int, expected: int
) -> None:
    assert Prefixes(ROWS).saving(crossed(BEST, masks=masks, blocks=blocks)) == expected
