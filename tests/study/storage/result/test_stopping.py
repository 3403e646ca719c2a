"""Savings and regret of early stopping: exact counts, intervals under simulation, sentences."""

import numpy as np
import pytest
from scipy.stats import hypergeom

from study.storage.events import TrialAudited
from study.storage.ledger import StudyLedger
from study.storage.result import study_result
from study.storage.result.stopping import population, predicted_best
from study.storage.result.stopping_words import stopping_lines
from tests.study.ledgers import OpenLedger, create, report


def trial(ledger: StudyLedger, number: int, score: float, stop: int | None) -> None:
    """Journals a trial that is stopped after report `stop`, or complete without one."""
    create(ledger, number)
    for index in range(1, (stop or 4) + 1):
        report(ledger, number, index, score)
    ledger.end(ledger.record.trials[number], "pruned" if stop else "complete", "")


def audited(ledger: StudyLedger, number: int, score: float | None, reason: str = "") -> None:
    ledger.append(TrialAudited(trial=number, step=40, metrics={"dev_mcc": score}, reason=reason))


def lines_of(ledger: StudyLedger) -> list[str]:
    return stopping_lines(study_result(ledger.record, ledger.spec))


def test_savings_are_the_steps_that_stopped_trials_did_not_train(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    trial(ledger, 0, 0.5, None)
    assert lines_of(ledger) == []
    trial(ledger, 1, 0.1, 1)
    assert lines_of(ledger) == [
        "1 of 2 trials were stopped early, which saved 30 of 80 steps of the search (38%)."
    ]


def test_trials_that_ran_on_are_counted_against_the_best_of_the_search(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger("scheduler.audit=1", "search.trials=12")
    trial(ledger, 0, 0.5, None)
    for number in range(1, 9):
        trial(ledger, number, 0.1 + 0.01 * number, 2)
    audited(ledger, 1, 0.6)
    audited(ledger, 2, 0.3)
    audited(ledger, 3, None, "diverged: the loss is not finite")
    result = study_result(ledger.record, ledger.spec)
    one = result.stopping
    assert one is not None
    assert (one.audited, one.waiting, one.better, one.audit_steps) == (3, 5, 1, 60)
    assert (one.better_low, one.better_high, one.loss) == (1, 6, None)
    assert result.headline is not None
    assert (result.headline.trial, result.trial(1).audited) == (0, 0.6)
    _, text, more = lines_of(ledger)
    assert "1 ended better than the best of the search. Of all 8 stopped trials 1 to 6" in text
    assert "not predicted: 8 trials must have run on" in more


def test_trials_that_break_a_constraint_are_not_better(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("scheduler.audit=1", 'constraints={dev_loss: "<= 0.5"}')
    create(ledger, 0)
    trial(ledger, 1, 0.1, 2)
    metrics = {"dev_mcc": 0.9, "dev_loss": 0.7}
    ledger.append(TrialAudited(trial=1, step=40, metrics=metrics, reason=""))
    result = study_result(ledger.record, ledger.spec)
    assert result.stopping is not None
    assert result.stopping.better == 0


@pytest.mark.parametrize("size", [1, 7, 20])
def test_the_interval_of_a_sample_holds_for_every_population(size: int) -> None:
    for sample in range(size + 1):
        intervals = [population(size, sample, found) for found in range(sample + 1)]
        for number in range(size + 1):
            chances = hypergeom(size, number, sample).pmf(range(sample + 1))
            holds = sum(
                chance
                for chance, (low, high) in zip(chances, intervals, strict=True)
                if low <= number <= high
            )
            assert holds >= 0.95 - 1e-9
    assert population(size, size, 1) == (1, 1)
    assert population(size, 0, 0) == (0, size)


@pytest.mark.parametrize("noise", [0.01, 0.04])
def test_the_interval_of_the_loss_holds(noise: float) -> None:
    rng, held, studies = np.random.default_rng(0), 0, 150
    for _ in range(studies):
        quality = 0.6 + 0.05 * rng.normal(size=40)
        half = quality - 0.1 + noise * rng.normal(size=40)
        end = quality + noise * rng.normal(size=40)
        stopped = half < np.median(half)
        best, ran_on = end[~stopped].max(), np.flatnonzero(stopped)[:8]
        others = np.flatnonzero(stopped)[8:]
        known = np.stack([half[ran_on], np.full(8, 0.5), end[ran_on]], axis=1)
        rest = np.stack([half[others], np.full(len(others), 0.5)], axis=1)
        drawn = np.maximum(predicted_best(known, rest, rng), end[ran_on].max()) - best
        low, high = np.quantile(np.maximum(drawn, 0), [0.025, 0.975])
        held += low <= max(0.0, end[stopped].max() - best) <= high
    assert held >= 0.93 * studies


def test_the_loss_is_known_if_all_stopped_trials_ran_on(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("scheduler.audit=1", "search.trials=12")
    trial(ledger, 0, 0.5, None)
    for number in range(1, 7):
        trial(ledger, number, 0.1 + 0.01 * number, 2)
        audited(ledger, number, 0.2 + 0.1 * number if number > 5 else 0.2)
    one = study_result(ledger.record, ledger.spec).stopping
    assert one is not None
    assert one.loss_low == one.loss == one.loss_high == pytest.approx(0.3)
    assert lines_of(ledger)[1].startswith("All 6 stopped trials trained to the end all the same")
    assert "better by about 0.3000 (95 % interval 0.3000 to 0.3000)" in lines_of(ledger)[2]


def test_an_unchanged_best_score_is_a_prediction_unless_all_stopped_trials_ran_on(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger("scheduler.audit=1", "search.trials=12")
    trial(ledger, 0, 0.9, None)
    for number in range(1, 10):
        trial(ledger, number, 0.1 + 0.01 * number, 2)
    for number in range(1, 9):
        audited(ledger, number, 0.2 + 0.01 * number)
    _, counted, text = lines_of(ledger)
    assert "Of all 9 stopped trials 0 to 1 would have" in counted
    assert text.startswith("The best score is predicted to be the same without early stopping, if")
    audited(ledger, 9, 0.3)
    assert lines_of(ledger)[2].startswith("Without early stopping the search would have had")


@pytest.mark.parametrize(
    ("score", "reason", "why"),
    [
        (0.0, "", "some stopped trials predicted one class"),
        (None, "diverged: the loss is not finite", "a trial that ran on failed or breaks"),
    ],
)
def test_the_loss_is_not_predicted_where_trials_fail_or_collapse(
    open_ledger: OpenLedger, score: float | None, reason: str, why: str
) -> None:
    ledger = open_ledger("scheduler.audit=1", "search.trials=12")
    trial(ledger, 0, 0.5, None)
    for number in range(1, 11):
        trial(ledger, number, 0.1 + 0.01 * number, 2)
    for number in range(1, 9):
        audited(ledger, number, 0.2)
    assert "if the others go on like these" not in lines_of(ledger)[2]
    audited(ledger, 9, score, reason)
    assert why in lines_of(ledger)[2]
    audited(ledger, 10, 0.7)
    assert "better by about 0.2000 (95 % interval 0.2000 to 0.2000)." in lines_of(ledger)[2]


def test_equal_scores_at_the_stop_predict_no_slope() -> None:
    known = np.array([[0.0, 0.5, 0.3], [0.0, 0.5, 0.32], [0.0, 0.5, 0.31], [1e-12, 0.5, 0.33],
                      [0.0, 0.5, 0.3]])  # fmt: skip
    drawn = predicted_best(known, np.array([[0.5, 0.5]]), np.random.default_rng(0))
    assert np.abs(drawn).max() < 5


def test_an_audit_that_drew_no_trial_says_so(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    trial(ledger, 0, 0.5, None)
    trial(ledger, 1, 0.1, 2)
    result = study_result(ledger.record, ledger.spec)
    assert (
        stopping_lines(result, 0.1)[1]
        == "None of them was drawn for the audit (scheduler.audit 0.1)."
    )
