"""Studies that are killed repeatedly have the results of uninterrupted ones.

The long versions are not in the default list: `tox -e chaos`.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.study.chaos import TARGETS, Study, history, weights


def assert_sound(study: Study, trials: int) -> None:
    """Every trial was created and ended once, every report made once, one winner chosen."""
    study.assert_undamaged()
    events = study.events()
    counts = Counter(event["event"] for event in events)
    assert counts["created"] == counts["ended"] == trials
    assert counts["winner"] == counts["study"] == 1
    reports = [(e["trial"], e["report"]) for e in events if e["event"] == "report"]
    assert len(reports) == len(set(reports))
    for number in range(trials):
        indices = [report for trial, report in reports if trial == number]
        assert indices == list(range(1, len(indices) + 1))


def assert_equal(interrupted: Study, whole: Study) -> None:
    """The same trials, reports, decisions, winner and weights, bit for bit."""
    assert history(interrupted.events()) == history(whole.events())
    assert weights(interrupted) == weights(whole) != {}
    best = [study.folder / "best.yaml" for study in (interrupted, whole)]
    assert best[0].read_text() == best[1].read_text()


@pytest.mark.ray
@pytest.mark.slow
def test_a_study_killed_twice_has_the_results_of_an_uninterrupted_one(tmp_path: Path) -> None:
    one_by_one = ("--max-concurrent=1", "--trials=3")
    whole, interrupted = (Study(tmp_path / name, *one_by_one) for name in ("whole", "killed"))
    for study in (whole, interrupted):
        study.root.mkdir()
    whole.run()
    rng = random.Random(5)
    for target in ("worker", "everything"):
        assert interrupted.kill_at_random(target, rng)
    interrupted.run()
    assert_sound(interrupted, trials=3)
    assert_equal(interrupted, whole)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(2))
def test_a_study_killed_twenty_times_has_the_results_of_an_uninterrupted_one(
    tmp_path: Path, seed: int
) -> None:
    one_by_one = ("--max-concurrent=1", "--trials=20", "--set=training.reports=6")
    whole, interrupted = (Study(tmp_path / name, *one_by_one) for name in ("whole", "killed"))
    for study in (whole, interrupted):
        study.root.mkdir()
    whole.run()
    rng = random.Random(seed)
    for kill in range(20):
        assert interrupted.kill_at_random(TARGETS[kill % len(TARGETS)], rng)
    interrupted.run()
    assert_sound(interrupted, trials=20)
    assert_equal(interrupted, whole)


@pytest.mark.chaos
def test_no_concurrent_trial_is_lost_or_counted_twice(tmp_path: Path) -> None:
    study = Study(tmp_path, "--max-concurrent=2", "--trials=28", "--set=training.reports=6")
    rng = random.Random(2)
    for kill in range(20):
        assert study.kill_at_random(TARGETS[kill % len(TARGETS)], rng)
    study.run()
    assert_sound(study, trials=28)
