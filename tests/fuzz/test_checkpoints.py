"""Damaged training checkpoints: each is set aside, or has exactly the content that was saved."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from study.engine.checkpoints import load, previous, save
from study.storage.opening import open_folder
from tests.fuzz.mutations import damaged_bytes, time_limit

CASES = 1500
SECONDS = 30.0
"""The longest that reading may take."""


def state(report: int) -> dict[str, Any]:
    """What a trial saves, with the kinds of values that a trial and its optimizer have."""
    generator = torch.Generator().manual_seed(report)
    weights = {f"layer.{n}.P": torch.randn(40, 8, generator=generator) for n in range(6)}
    moments = {n: {"step": torch.tensor(3.0), "exp_avg": torch.ones(40)} for n in range(6)}
    return {
        "trial": {
            "step": 10 * report,
            "seconds": 1.5,
            "parameters": weights,
            "scaler": {},
            "optimizer": {"state": moments, "param_groups": [{"lr": 1e-3, "params": [0, 1]}]},
            "allocator": {"t": 3, "events": [[1, 2, None]], "ema": torch.zeros(6, 8)},
        },
        "result": {"report": report, "metrics/dev_mcc": 0.5, "metrics/train_loss": None},
        "params": {"p": 0.1, "b0": 6},
    }


def flat(value: Any) -> Any:
    """A value with lists in place of tensors, which can be compared."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    return [flat(item) for item in value] if isinstance(value, list) else value


def damaged_checkpoint(data: bytes, rng: random.Random) -> bytes:
    """Returns the file with damaged bytes; half of the time in its directory of parts."""
    if rng.random() < 0.5:
        return damaged_bytes(data, rng)
    start = data.index(b"PK\x01\x02")
    return data[:start] + damaged_bytes(data[start:], rng)


@pytest.mark.chaos
def test_no_damaged_checkpoint_ends_in_a_traceback_or_is_used(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "study", "")
    for report in (1, 2):
        save(folder, 0, state(report))
    last, before = folder.checkpoint(0), previous(folder.checkpoint(0))
    data, expected, fallback = last.read_bytes(), flat(state(2)), flat(state(1))
    counts = Counter[str]()
    for seed in range(CASES):
        last.write_bytes(damaged_checkpoint(data, random.Random(seed)))
        with time_limit(SECONDS, f"checkpoint {seed}"):
            try:
                found, warnings = load(folder, 0, lambda saved: True)
            except Exception as error:
                raise AssertionError(f"checkpoint {seed}: {error!r}") from error
        if warnings:
            assert flat(found) == fallback, seed
            assert "trial-00000.pt is damaged and was set aside: " in warnings[0], seed
            assert all(len(warning) < 300 for warning in warnings), seed
        else:
            assert flat(found) == expected, seed
        counts["set aside" if warnings else "read"] += 1
    print(f"{CASES} damaged checkpoints: {dict(counts)}")  # noqa: T201
    assert counts["set aside"] > CASES // 2
    assert before.exists()
