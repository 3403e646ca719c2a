"""The surrogate finds what acts on the score, says what it does not know, and is reproducible."""

from pathlib import Path

import numpy as np
import pytest

from study.analysis.study.figures.axes import axes
from study.analysis.study.figures.importance import importances
from study.analysis.study.figures.surrogate import MOST, Surrogate, surrogate, thinned
from study.analysis.study.reading import StudyData
from study.storage.record import TrialRecord
from tests.study.analysis.study.rich_studies import rich_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    return rich_study(tmp_path_factory.mktemp("study") / "rich", trials=36).read()


@pytest.fixture(scope="module")
def fitted(study: StudyData) -> Surrogate:
    made = surrogate(study.trials, axes(study.spec))
    assert isinstance(made, Surrogate)
    return made


def test_the_effect_of_a_setting_is_the_one_that_was_made(fitted: Surrogate) -> None:
    effect = fitted.effect([{"p": 0.0}, {"p": 0.3}])
    assert effect.mean[0] - effect.mean[1] == pytest.approx(0.3, abs=0.05)
    flat = fitted.effect([{"b0": 6.0}, {"b0": 12.0}])
    assert flat.mean[0] == pytest.approx(flat.mean[1], abs=0.03)
    assert fitted.predicted_share() > 0.8


def test_noise_is_not_predicted(study: StudyData, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = study.record.in_state("complete")[:10]
    numbers = [trial.number for trial in kept]
    shares = []
    for seed in range(6):
        scores = dict(
            zip(numbers, np.random.default_rng(seed).normal(size=len(kept)), strict=True)
        )
        monkeypatch.setattr(TrialRecord, "value", property(lambda trial: scores[trial.number]))  # noqa: B023
        shares.append(Surrogate(kept, axes(study.spec)).predicted_share())
    assert np.mean(shares) < 0


def test_a_curve_is_less_sure_where_there_are_no_trials(fitted: Surrogate) -> None:
    inside, outside = fitted.effect([{"lr": 1e-3}, {"lr": 1.0}]).sd
    assert outside > 1.5 * inside


def test_a_choice_has_an_effect_of_its_own(fitted: Surrogate) -> None:
    zero, mask = fitted.effect([{"prune_mode": 0.0}, {"prune_mode": 1.0}]).mean
    assert zero == pytest.approx(mask, abs=0.03)


def test_bt_above_b0_has_no_score_and_alone_takes_b0_along(fitted: Surrogate) -> None:
    assert np.isnan(fitted.effect([{"b0": 6.0, "bT": 9.0}]).mean[0])
    assert np.isfinite(fitted.effect([{"bT": 12.0}, {"b0": 6.0}]).mean).all()


def test_trials_stopped_early_are_not_in_the_fit(study: StudyData, fitted: Surrogate) -> None:
    assert fitted.count == len(study.record.in_state("complete"))
    assert len(study.record.in_state("pruned")) > 5


def test_the_same_trials_give_the_same_numbers(study: StudyData, fitted: Surrogate) -> None:
    again = Surrogate(study.trials, axes(study.spec))
    assert again.effect([{"p": 0.1}]) == fitted.effect([{"p": 0.1}])


def test_too_few_or_equal_trials_have_no_surrogate(study: StudyData) -> None:
    of = axes(study.spec)
    assert "at least 8 complete trials, and there are 3" in str(surrogate(study.trials[:7], of))
    assert surrogate(study.trials, []) == "no setting was searched"
    one = next(trial for trial in study.trials if trial.state == "complete")
    assert surrogate([one] * 9, of) == "all complete trials have the same score"


def test_a_fit_has_at_most_so_many_trials(study: StudyData) -> None:
    many = [trial for trial in study.trials if trial.state == "complete"] * 12
    assert len(many) > MOST
    assert Surrogate(many, axes(study.spec)).count == MOST
    assert thinned(list(range(1000)), 5) == [0, 250, 500, 749, 999]


def test_bounds_of_the_budget_at_the_end_are_numbers_of_triplets(study: StudyData) -> None:
    of = {axis.name: axis for axis in axes(study.spec)}
    assert (of["bT"].low, of["bT"].high, of["bT"].whole, of["bT"].log) == (2, 12, True, False)
    assert of["prune_mode"].choices == ("zero", "mask")
    assert (of["lr"].nuisance, of["p"].nuisance) == (True, False)
    assert of["deltaT"].place(0.02) == 0
    assert of["deltaT"].values(3)[1] == pytest.approx((0.02 * 0.3) ** 0.5)


def test_the_setting_that_acts_matters_and_the_others_are_noise(study: StudyData) -> None:
    found = importances(study.trials, axes(study.spec))
    assert not isinstance(found, str)
    first, *others = found
    assert (first.setting, first.word) == ("p", "matters")
    assert first.low > 0.3
    assert first.low <= first.share <= first.high
    words = {one.setting: one.word for one in others}
    assert [words[name] for name in ("b0", "bT", "prune_mode")] == ["noise"] * 3


def test_scores_of_pure_chance_make_no_setting_matter(study: StudyData, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    chance = rich_study(tmp_path / "chance", trials=36).read()
    for report in (report for trial in chance.trials for report in trial.reports):
        report.metrics["dev_mcc"] = float(rng.standard_normal())  # type: ignore[index]
    found = importances(chance.trials, axes(study.spec))
    assert not isinstance(found, str)
    assert "matters" not in {one.word for one in found}


def test_few_trials_have_no_importance(study: StudyData) -> None:
    found = importances(study.trials[:10], axes(study.spec))
    assert found == ("No estimate: at least 10 complete trials are needed, and this study has 5.")
