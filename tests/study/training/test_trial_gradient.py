"""The gradient of a step: accumulated, unscaled, with the orthogonality penalty, clipped once."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from adapters import orthogonality
from study.training.optimizer import clip_gradients
from study.training.trial import Trial
from tests.study.training.tiny_trials import tiny_backbone, tiny_trial, trained

OPEN = {"max_grad_norm": 1e9}  # never clips


def _without_dropout(**changes: Any) -> Trial:
    """A trial without dropout: its gradient is a function of its weights and rows."""
    return tiny_trial(on=tiny_backbone(dropout=0.0), **changes)


def _gradients(trial: Trial) -> dict[str, torch.Tensor]:
    """Returns the gradients at the next step of the optimizer."""
    seen: dict[str, torch.Tensor] = {}

    def look(*_: object) -> None:
        named = trial.model.named_parameters()
        seen.update((name, p.grad.clone()) for name, p in named if p.grad is not None)

    hook = trial.optimizer.register_step_pre_hook(look)
    trial.train_until(trial.step + 1)
    hook.remove()
    return seen


def _norm(gradients: dict[str, torch.Tensor]) -> float:
    return math.sqrt(sum(float(g.double().square().sum()) for g in gradients.values()))


def test_the_gradient_is_that_of_the_mean_loss_over_the_step_s_rows() -> None:
    trial, other = _without_dropout(gamma=0.0, **OPEN), _without_dropout(gamma=0.0)
    logits, labels = other._forward(other.data.train, other.order[1])
    nn.functional.cross_entropy(logits, labels).backward()
    for name, gradient in _gradients(trial).items():
        torch.testing.assert_close(gradient, other.model.get_parameter(name).grad)


def test_accumulated_batches_equal_one_large_batch() -> None:
    """22 rows: the last step of an epoch has 6 rows, in batches of 4 and 2."""
    large, small = _without_dropout(batch_size=8), _without_dropout(batch_size=4, accumulation=2)
    assert large.train_until(6) == pytest.approx(small.train_until(6), rel=1e-5)
    for name, value in trained(large).items():
        torch.testing.assert_close(trained(small)[name], value, rtol=1e-3, atol=1e-5)


def test_accumulation_takes_the_same_rows_as_the_large_batch() -> None:
    large, small = tiny_trial(batch_size=8), tiny_trial(batch_size=4, accumulation=2)
    assert all(np.array_equal(large.order[step], small.order[step]) for step in range(1, 13))


@pytest.mark.parametrize("changes", [{}, {"batch_size": 2, "accumulation": 2}])
def test_clipping_bounds_the_norm_of_the_accumulated_gradient(changes: dict) -> None:
    free = _gradients(_without_dropout(**OPEN, **changes))
    clipped = _gradients(_without_dropout(max_grad_norm=0.01, **changes))
    assert _norm(free) > 0.02
    assert _norm(clipped) == pytest.approx(0.01, rel=1e-3)
    for name, gradient in free.items():
        torch.testing.assert_close(clipped[name], gradient * 0.01 / _norm(free))


def test_a_gradient_below_the_bound_is_unchanged() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([0.3, 0.4])
    clip_gradients([parameter], 1.0)
    assert parameter.grad.tolist() == pytest.approx([0.3, 0.4])


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_an_overflow_makes_every_gradient_nan(bad: float) -> None:
    fine, broken = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    fine.grad, broken.grad = torch.ones(2), torch.tensor([bad])
    clip_gradients([fine, broken, nn.Parameter(torch.zeros(1))], 1.0)
    assert fine.grad.isnan().all()
    assert broken.grad.isnan().all()


def test_gradients_are_unscaled_before_clipping() -> None:
    half = _gradients(_without_dropout(precision="fp16", max_grad_norm=0.01))
    full = _gradients(_without_dropout(max_grad_norm=0.01))
    assert _norm(half) == pytest.approx(0.01, rel=1e-3)
    for name, gradient in full.items():
        torch.testing.assert_close(half[name], gradient, rtol=0.1, atol=1e-5)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_penalty_is_in_the_gradient_once_per_step(accumulation: int) -> None:
    settings = OPEN | {"batch_size": 4, "accumulation": accumulation}
    with_term, without = (
        _without_dropout(gamma=0.5, **settings),
        _without_dropout(gamma=0.0, **settings),
    )
    reference = _without_dropout()
    (0.5 * orthogonality(reference.prepared.adapters)).backward()
    task, both = _gradients(without), _gradients(with_term)
    for name in both:
        term = reference.model.get_parameter(name).grad
        expected = task[name] if term is None else task[name] + term
        torch.testing.assert_close(both[name], expected)
    assert any(name.endswith(".P") and task[name].norm() < both[name].norm() for name in both)


def test_the_penalty_is_in_no_reported_loss() -> None:
    heavy, none = _without_dropout(gamma=100.0), _without_dropout(gamma=0.0)
    assert heavy.train_until(1) == none.train_until(1)
    fresh = _without_dropout(gamma=100.0)
    logits = torch.from_numpy(fresh.logits(fresh.data.dev))
    labels = torch.from_numpy(fresh.data.dev.labels)
    expected = float(nn.functional.cross_entropy(logits, labels))
    assert fresh.evaluate(fresh.data.dev)["loss"] == pytest.approx(expected)


@pytest.mark.parametrize("score_loss", ["task", "total"])
def test_the_scores_use_the_task_s_part_of_the_clipped_gradient(score_loss: str) -> None:
    """At the first step lam is 0 before, so that only the penalty has a gradient in P and Q."""
    settings: dict[str, Any] = {"batch_size": 2, "accumulation": 2, "max_grad_norm": 0.01}
    trial = _without_dropout(gamma=0.5, score_loss=score_loss, **settings)
    clipped = _gradients(trial)
    assert trial.allocator is not None
    P, lam, Q = (group.sensitivity for group in trial.allocator._scores.groups[:3])
    name, layer = next(iter(trial.prepared.adapters.items()))
    used = 0.15 * (layer.lam * clipped[f"{name}.lam"]).abs()
    torch.testing.assert_close(lam[0], used, rtol=1e-4, atol=0)
    assert (max(P.max(), Q.max()) < 1e-4 * lam.max()) == (score_loss == "task")


def test_the_reported_training_loss_is_the_mean_over_the_steps() -> None:
    single, whole = tiny_trial(), tiny_trial()
    losses = [single.train_until(step) for step in range(1, 7)]
    assert whole.train_until(6) == pytest.approx(np.mean(losses))


def test_training_lowers_the_loss() -> None:
    trial = _without_dropout(steps=30, lr=2e-2, batch_size=8)
    first = trial.train_until(3)
    trial.train_until(27)
    assert trial.train_until(30) < 0.8 * first
