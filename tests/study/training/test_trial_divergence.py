"""A loss that is not finite ends the trial; a step skipped by the loss scaler has no effect."""

import math

import pytest
import torch

from study.training.trial import DivergedError, Trial
from tests.study.training.tiny_trials import assert_same, tiny_trial, trained


def test_a_loss_of_nan_ends_the_trial_at_that_step() -> None:
    trial = tiny_trial()
    trial.train_until(2)
    with torch.no_grad():
        trial.prepared.head["score.weight"][0, 0] = math.nan
    with pytest.raises(DivergedError, match="not finite at step 3") as caught:
        trial.train_until(12)
    assert caught.value.step == trial.step == 3


def test_divergence_by_a_huge_learning_rate_ends_the_trial() -> None:
    trial = tiny_trial("fmft", lr=1e30)
    with pytest.raises(DivergedError) as caught:
        trial.train_until(12)
    assert caught.value.step < 12


def test_a_diverged_model_scores_nan() -> None:
    trial = tiny_trial("linear_probe")
    with torch.no_grad():
        trial.prepared.head["score.weight"].fill_(math.nan)
    assert all(math.isnan(score) for score in trial.evaluate(trial.data.dev).values())


def _assert_skipped(trial: Trial, before: dict[str, torch.Tensor]) -> None:
    assert_same(trained(trial), before)
    assert trial.allocator is not None
    state = trial.allocator.state_dict()
    assert (state["t"], state["missing_gradients"]) == (1, 0)
    assert not any(part.any() for part in state["sensitivity"] + state["uncertainty"])
    assert trial.scaler.get_scale() < 1e38


def test_a_step_skipped_by_the_loss_scaler_is_not_observed() -> None:
    trial = tiny_trial(precision="fp16", deltaT=5)
    trial.scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    before = trained(trial)
    trial.train_until(1)
    _assert_skipped(trial, before)


def test_a_step_with_an_overflow_in_the_head_only_is_not_observed() -> None:
    trial = tiny_trial(precision="fp16", deltaT=5)
    trial.prepared.head["score.weight"].register_hook(lambda gradient: gradient * math.inf)
    before = trained(trial)
    trial.train_until(1)
    _assert_skipped(trial, before)


def test_training_continues_after_a_skipped_step() -> None:
    trial = tiny_trial(precision="fp16", deltaT=5)
    trial.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, backoff_factor=2.0**-12)
    before = trained(trial)
    trial.train_until(12)
    assert trial.step == 12
    assert not torch.equal(trained(trial)["score.weight"], before["score.weight"])
    assert all(value.isfinite().all() for value in trained(trial).values())
