"""The lights of a study: what each says, and when."""

from dataclasses import replace

import pytest

from study.storage.events import Report, StudyOpened, WinnerEvaluated
from study.storage.ledger import StudyLedger
from study.storage.record import StudyRecord
from study.storage.result import Light, study_result
from study.storage.result.fields import StudyResult
from tests.study.ledgers import OpenLedger, create

KEPT = {"dropped": 8, "reintroduced": 9, "penalty_share": 0.1, "rank": 72, "kept": 73}


def ended(
    ledger: StudyLedger,
    number: int,
    score: float | None,
    state: str = "complete",
    **metrics: float,
) -> None:
    create(ledger, number)
    values = {"dev_mcc": score, "budget": 72.0, **KEPT, **metrics}
    ledger.append(Report(trial=number, report=3, step=30, metrics=values | {"budget": 100.0}))
    ledger.append(Report(trial=number, report=4, step=40, metrics=values))
    ledger.end(ledger.record.trials[number], state, "")  # type: ignore[arg-type]


def result_of(ledger: StudyLedger) -> StudyResult:
    return study_result(ledger.record, ledger.spec)


def lights(ledger: StudyLedger) -> dict[str, Light]:
    return {light.name: light for light in result_of(ledger).health}


def levels(ledger: StudyLedger) -> dict[str, str]:
    return {name: light.level for name, light in lights(ledger).items()}


def test_a_study_without_trials_has_no_lights(open_ledger: OpenLedger) -> None:
    assert lights(open_ledger()) == {}


def test_a_sick_study_says_so_first(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.trials=8")
    ended(ledger, 0, 0.0)
    for number in range(1, 8):
        ended(ledger, number, None, "failed")
    health = result_of(ledger).health
    assert [light.level for light in health[:2]] == ["bad", "bad"]
    found = lights(ledger)
    assert found["failures"].text == "7 of 8 trials failed."
    assert "predicts one class for all sequences (MCC 0)" in found["collapse"].text
    assert found["trials"].level == "warn"
    assert "1 complete trials are too few" in found["trials"].text


def test_a_healthy_study_has_no_warning(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.trials=20")
    baselines = {"majority": {"dev_mcc": 0.0}, "kmer": {"dev_mcc": 0.3}}
    opened = replace(ledger.record.opened or StudyOpened(), baselines=baselines)
    ledger.record.opened = opened
    for number in range(20):
        ended(ledger, number, 0.5 + number / 1000)
    assert set(levels(ledger).values()) == {"ok"}


@pytest.mark.parametrize(("failed", "level"), [(0, "ok"), (1, "warn"), (2, "bad")])
def test_the_share_of_failed_trials(open_ledger: OpenLedger, failed: int, level: str) -> None:
    ledger = open_ledger()
    for number in range(4):
        ended(ledger, number, 0.5, "failed" if number < failed else "complete")
    assert levels(ledger)["failures"] == level


def test_many_trials_that_predict_one_class_are_a_warning(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ended(ledger, 0, 0.5)
    ended(ledger, 1, 0.0)
    ended(ledger, 2, 0.0, "pruned")
    light = lights(ledger)["collapse"]
    assert (light.level, light.text) == (
        "warn", "2 of 3 trials predict one class for all dev sequences.",
    )  # fmt: skip


def test_guessing_with_an_mcc_of_0_is_not_a_collapse(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    one_class = {"dev_accuracy": 0.4, "dev_f1_weighted": 0.4 * 0.8 / 1.4}
    ended(ledger, 0, 0.5)
    ended(ledger, 1, 0.0, **one_class)
    ended(ledger, 2, 0.0, dev_accuracy=0.5, dev_f1_weighted=0.5)
    assert lights(ledger)["collapse"].text.startswith("1 of 3 trials predict one class")


@pytest.mark.parametrize(
    ("kmer", "level"), [(None, "unknown"), (0.6, "bad"), (0.5, "bad"), (0.4, "ok")]
)
def test_the_best_trial_is_compared_with_the_baselines(
    open_ledger: OpenLedger, kmer: float | None, level: str
) -> None:
    ledger = open_ledger()
    if kmer is not None:
        floors = {"majority": {"dev_mcc": 0.0}, "kmer": {"dev_mcc": kmer}}
        ledger.record.opened = StudyOpened(baselines=floors)
    ended(ledger, 0, 0.5)
    assert levels(ledger)["floor"] == level


def test_a_winner_is_compared_with_the_baselines_on_test(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    floors = {"kmer": {"dev_mcc": 0.1, "test_mcc": 0.45}}
    ledger.record.opened = StudyOpened(baselines=floors)
    ended(ledger, 0, 0.5)
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4}))
    light = lights(ledger)["floor"]
    assert light.level == "bad"
    assert "test_mcc 0.400, and logistic regression on 5-mers has 0.450" in light.text


@pytest.mark.parametrize(
    ("kmer", "level", "named"), [(0.3, "warn", "CNN"), (0.7, "bad", "5-mers")]
)
def test_a_network_without_pretraining_that_is_better_is_a_warning(
    open_ledger: OpenLedger, kmer: float, level: str, named: str
) -> None:
    ledger = open_ledger()
    floors = {"kmer": {"dev_mcc": kmer}, "cnn": {"dev_mcc": 0.8}}
    ledger.record.opened = StudyOpened(baselines=floors)
    ended(ledger, 0, 0.5)
    light = lights(ledger)["floor"]
    assert light.level == level
    assert named in light.text


def test_of_a_loss_the_smaller_one_is_better(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.metric=loss")
    ledger.record.opened = StudyOpened(baselines={"kmer": {"dev_loss": 0.6}})
    ended(ledger, 0, 0.5, dev_loss=0.5)
    assert levels(ledger)["floor"] == "ok"


def test_a_score_of_a_single_run_is_marked(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ended(ledger, 0, 0.5)
    assert "confirmation" not in levels(ledger)
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4}))
    assert levels(ledger)["confirmation"] == "warn"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("b0", 8, "b0 = 8, up to 8"),
        ("b0", 4, "b0 = 4, from 4"),
        ("lr", 9.9e-3, "lr = 0.0099, up to 0.01"),
        ("p", 0.299, "p = 0.299, up to 0.3"),
        ("p", 0.0, ""),
        ("bT_ratio", 1.0, ""),
        ("bT_ratio", 0.25, "bT_ratio = 0.25, from 0.25"),
    ],
)
def test_a_parameter_at_the_edge_is_named_if_the_domain_can_be_wider(
    open_ledger: OpenLedger, name: str, value: float, text: str
) -> None:
    ledger = open_ledger()
    ended(ledger, 0, 0.5)
    assert levels(ledger)["edge"] == "ok"
    ledger.record.trials[0].params[name] = value
    light = lights(ledger)["edge"]
    assert light.level == ("warn" if text else "ok")
    assert text in light.text


def test_cut_sequences_are_named(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    split = {"mean": 90.0, "longest": 120, "truncated": 0.04, "unknown": 0.0}
    tokens = {"max_length": 100, "measured": True, "splits": {"train": split}}
    ledger.record.opened = StudyOpened(tokens=tokens)  # type: ignore[arg-type]
    light = lights(ledger)["truncation"]
    assert light.level == "warn"
    assert light.text == "Sequences with more than 100 tokens are cut: 4.0% of train."


def test_a_mask_that_changes_hardly_a_triplet_is_named(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ended(ledger, 0, 0.5, dropped=1, reintroduced=0)
    light = lights(ledger)["mask"]
    assert light.level == "warn"
    assert light.text == (
        "With p = 0.1 the random mask of trial 0 changed 1.0 triplets per event: it had hardly "
        "an effect."
    )


def test_a_schedule_without_a_mask_event_is_named(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    for index in (1, 2, 3, 4):
        metrics = {"dev_mcc": 0.5, "budget": 144, "kept": 144, "rank": 144}
        ledger.append(Report(trial=0, report=index, step=10 * index, metrics=metrics))
    ledger.end(ledger.record.trials[0], "complete", "")
    assert levels(ledger)["schedule"] == "bad"
    assert "mask" not in levels(ledger)


@pytest.mark.parametrize(("rank", "level"), [(72, "ok"), (86, "ok"), (110, "warn"), (50, "warn")])
def test_a_rank_off_the_budget_is_named(open_ledger: OpenLedger, rank: int, level: str) -> None:
    ledger = open_ledger()
    ended(ledger, 0, 0.5, rank=rank)
    assert levels(ledger)["rank"] == level


def test_every_light_is_one_sentence(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ended(ledger, 0, 0.5)
    for light in result_of(ledger).health:
        assert light.text.endswith("."), light
        assert len(light.text) < 200, light
    assert isinstance(ledger.record, StudyRecord)
