"""Timed steps of a trial: what is measured, and what is left behind."""

from dataclasses import replace

import numpy as np
import pytest

from study.training import timing
from study.training.encoding import encode_split, select
from study.training.timing import Timing, mean_timing, time_trial
from tests.study.training.tiny_trials import CPU, tiny_backbone, tiny_spec, tiny_task


@pytest.mark.parametrize("method", ["adalora_rs", "fmft"])
def test_a_trial_is_timed_and_the_backbone_is_left_as_it_was(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    backbone = tiny_backbone()
    before = {name: p.clone() for name, p in backbone.model.named_parameters()}
    measured = time_trial(tiny_spec(method, lr=1e6), backbone, tiny_task(), CPU)
    assert 0 < measured.step < 5
    assert 0 < measured.setup < 5
    assert 0 < measured.dev < 5
    assert measured.memory > 0.01
    after = dict(backbone.model.named_parameters())
    assert after.keys() == before.keys()
    assert all((after[name] == p).all() for name, p in before.items() if "score" not in name)


def test_the_evaluation_of_a_split_costs_as_its_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    task = tiny_task()
    tenfold = encode_split([task.dev.row(n % 14).tolist() for n in range(140)], [0, 1] * 70)
    measured = time_trial(tiny_spec(), tiny_backbone(), replace(task, test=tenfold), CPU)
    assert measured.test / measured.dev == pytest.approx(10)


def test_a_trial_of_a_single_step_can_be_timed() -> None:
    spec = tiny_spec("lora", steps=1, reports=1)
    assert time_trial(spec, tiny_backbone(), tiny_task(), CPU).step > 0


def test_rows_of_a_split_are_selected_on_both_strands() -> None:
    split = replace(
        encode_split([[1], [2, 3], [4, 5, 6]], [0, 1, 1]),
        reverse_complement=encode_split([[7], [8], [9, 9]], [0, 1, 1]),
    )
    chosen = select(split, np.array([2, 0]))
    assert [chosen.row(n).tolist() for n in range(2)] == [[4, 5, 6], [1]]
    assert chosen.labels.tolist() == [1, 0]
    assert chosen.reverse_complement is not None
    assert [chosen.reverse_complement.row(n).tolist() for n in range(2)] == [[9, 9], [7]]


def test_of_several_processes_times_are_averaged_and_the_largest_memory_counts() -> None:
    first = Timing(setup=1.0, step=2.0, dev=3.0, test=4.0, memory=5.0)
    second = Timing(setup=3.0, step=4.0, dev=5.0, test=6.0, memory=4.0)
    assert mean_timing([first, second]) == Timing(2.0, 3.0, 4.0, 5.0, memory=5.0)
