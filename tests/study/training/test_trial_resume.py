"""A resumed trial equals an uninterrupted one, bit for bit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from study.training.facts import rank_facts
from study.training.trial import Trial
from tests.study.training.tiny_trials import (
    assert_same,
    tiny_backbone,
    tiny_split,
    tiny_task,
    tiny_trial,
)

END = 8  # T = 6; mask events at 2, 4 and 6; an epoch has 6 steps
STOPS = (3, 6, 7)  # between two events, at T and after it
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "accumulation, grouped": {"accumulation": 2, "batch_size": 2, "group_by_length": True},
    "bf16, adapter dropout": {"precision": "bf16", "dropout": 0.3},
    "fp16": {"precision": "fp16"},
    "prune_mode mask": {"prune_mode": "mask"},
    "lora": {"method": "lora", "dropout": 0.3},
    "fmft": {"method": "fmft"},
    "linear_probe": {"method": "linear_probe"},
}
EVERY_STOP = ("default", "accumulation, grouped", "prune_mode mask")


def _outcome(trial: Trial) -> dict[str, Any]:
    state = trial.state_dict()
    del state["seconds"]
    return {
        "state": state,
        "dev": trial.evaluate(trial.data.dev),
        "ranks": rank_facts(trial.allocator),
    }


def _uninterrupted(make, folder: Path, stops: Sequence[int]) -> dict[str, Any]:
    trial = make()
    for stop in stops:
        trial.train_until(stop)
        torch.save(trial.state_dict(), folder / str(stop))
    trial.train_until(END)
    return _outcome(trial)


def _assert_resumes(make, folder: Path, stops: Sequence[int] = (3,)) -> None:
    expected = _uninterrupted(make, folder, stops)
    for stop in stops:
        resumed = make()
        resumed.load_state_dict(torch.load(folder / str(stop), weights_only=True))
        assert resumed.step == stop
        resumed.train_until(END)
        assert_same(_outcome(resumed), expected, f"resumed at {stop}: ")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_resumed_trial_equals_an_uninterrupted_one(setting: str, tmp_path: Path) -> None:
    stops = STOPS if setting in EVERY_STOP else (3,)
    _assert_resumes(lambda: tiny_trial(steps=END, **SETTINGS[setting]), tmp_path, stops)


@pytest.mark.parametrize("setting", ["default", "accumulation, grouped"])
def test_a_trial_on_both_strands_resumes_bit_for_bit(setting: str, tmp_path: Path) -> None:
    task = tiny_task()
    splits = {name: getattr(task, name) for name in ("train", "dev")}
    others = {name: tiny_split(len(split), seed=9) for name, split in splits.items()}
    task = replace(
        task,
        **{n: replace(split, reverse_complement=others[n]) for n, split in splits.items()},
    )
    _assert_resumes(lambda: tiny_trial(task=task, steps=END, **SETTINGS[setting]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "esm", "mosaicbert", "gated_esm"])
def test_every_family_resumes_bit_for_bit(family: str, tmp_path: Path) -> None:
    _assert_resumes(lambda: tiny_trial(on=tiny_backbone(family), steps=END), tmp_path)


def test_evaluation_between_two_steps_changes_nothing() -> None:
    plain, evaluated = tiny_trial(), tiny_trial()
    plain.train_until(4)
    for step in range(1, 5):
        evaluated.train_until(step)
        evaluated.evaluate(evaluated.data.dev)
    assert_same(_outcome(evaluated), _outcome(plain))


def test_a_checkpoint_has_no_frozen_weights_and_no_pickled_objects(tmp_path: Path) -> None:
    trial = tiny_trial()
    trial.train_until(2)
    torch.save(trial.state_dict(), tmp_path / "state")
    state = torch.load(tmp_path / "state", weights_only=True)
    assert not [name for name in state["parameters"] if ".base." in name or "embed" in name]


def test_a_checkpoint_of_another_rank_is_refused() -> None:
    narrow, wide = tiny_trial("lora", rank=1), tiny_trial("lora", rank=4)
    with pytest.raises(ValueError, match="parameters that this trial trains"):
        wide.load_state_dict(narrow.state_dict())


def test_a_checkpoint_of_another_method_is_refused() -> None:
    with pytest.raises(ValueError, match="parameters that this trial trains"):
        tiny_trial("lora").load_state_dict(tiny_trial("fmft").state_dict())


def test_a_resumed_trial_reports_the_same_training_loss(tmp_path: Path) -> None:
    first = tiny_trial(task=tiny_task(30))
    first.train_until(8)
    torch.save(first.state_dict(), tmp_path / "state")
    second = tiny_trial(task=tiny_task(30))
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert first.train_until(12) == second.train_until(12)
