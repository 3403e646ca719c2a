"""The seeds init, data and mask give three independent streams; nothing else is random."""

from typing import Any

import pytest
import torch

from study.training.trial import Trial
from tests.study.training.tiny_trials import assert_same, tiny_trial, trained


def _start(**changes: Any) -> dict[str, torch.Tensor]:
    return trained(tiny_trial(**changes))


def _rows(trial: Trial) -> list[list[int]]:
    return [trial.order[step].tolist() for step in range(1, 13)]


def _after(step: int, **changes: Any) -> dict[str, torch.Tensor]:
    trial = tiny_trial(deltaT=3, **changes)
    trial.train_until(step)
    return trained(trial)


def _differ(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(left[name], right[name]) for name in left)


def test_the_global_random_stream_has_no_effect() -> None:
    torch.manual_seed(1)
    first = _after(12, dropout=0.2)
    torch.manual_seed(2)
    assert_same(_after(12, dropout=0.2), first)


def test_the_mask_seed_changes_nothing_before_the_first_mask_event() -> None:
    left, right = {"seeds": {"mask": 0}, "p": 0.5}, {"seeds": {"mask": 1}, "p": 0.5}
    assert_same(_after(2, **left), _after(2, **right))
    assert _differ(_after(3, **left), _after(3, **right))


@pytest.mark.parametrize("change", [{"p": 0.5}, {"seeds": {"mask": 9}}, {"beta1": 0.1}])
def test_mask_seed_and_rates_do_not_affect_init_and_data(change: dict) -> None:
    assert_same(_start(p=0.1) | _start(**change), _start(p=0.1))
    assert _rows(tiny_trial(**change)) == _rows(tiny_trial(p=0.1))
    assert_same(_after(2, **change), _after(2, **{"p": 0.1} | change))


def test_changing_p_changes_nothing_before_the_first_mask_event() -> None:
    assert_same(_after(2, p=0.0), _after(2, p=0.9))
    assert _differ(_after(3, p=0.0), _after(3, p=0.9))


def test_the_data_seed_changes_the_batches_but_not_the_initial_weights() -> None:
    here, there = {"seeds": {"data": 0}}, {"seeds": {"data": 1}}
    assert_same(_start(**here), _start(**there))
    assert _rows(tiny_trial(**here)) != _rows(tiny_trial(**there))


def test_the_init_seed_changes_the_initial_weights_but_not_the_batches() -> None:
    here, there = {"seeds": {"init": 0}}, {"seeds": {"init": 1}}
    left, right = _start(**here), _start(**there)
    assert all("lam" in name or not torch.equal(left[name], right[name]) for name in left)
    assert _rows(tiny_trial(**here)) == _rows(tiny_trial(**there))


def test_dropout_differs_at_every_step() -> None:
    trial = tiny_trial("linear_probe", lr=1e-9, batch_size=22)
    losses = {trial.train_until(step) for step in range(1, 5)}
    assert len(losses) == 4
