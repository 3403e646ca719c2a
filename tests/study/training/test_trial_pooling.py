"""A trial whose head reads the mean or the last token."""

from pathlib import Path
from typing import Any

import pytest
import torch

from study.errors import InputError
from study.training.files.artifacts import save_artifacts
from study.training.files.identity import difference, identity
from study.training.fit import check_fit
from study.training.methods import count_trained
from tests.study.training.files.test_artifacts import _load
from tests.study.training.tiny_trials import (
    assert_same,
    tiny_backbone,
    tiny_spec,
    tiny_trial,
    trained,
)

CASES = [("opt", "lora", "mean"), ("bert", "adalora_rs", "last"), ("llama", "fmft", "mean"),
         ("modernbert", "lora", "mean"), ("esm", "linear_probe", "mean")]  # fmt: skip


@pytest.mark.parametrize(("family", "method", "pooling"), CASES)
def test_the_head_learns_from_what_it_reads_and_the_backbone_is_restored(
    family: str, method: str, pooling: str, tmp_path: Path
) -> None:
    backbone = tiny_backbone(family)
    model: Any = backbone.model
    config, own = dict(vars(model.config)), tiny_trial(method, on=backbone)
    ids = torch.tensor([[2, 9, 7, 11]])
    with torch.no_grad():
        before = model.eval()(input_ids=ids).logits
    own.close()
    trial = tiny_trial(method, on=backbone, backbone={"pooling": pooling})
    trial.train_until(3)
    logits = trial.logits(trial.data.test)
    save_artifacts(trial, tmp_path / "best")
    trial.close()
    fresh = tiny_trial(
        method, on=tiny_backbone(family), backbone={"pooling": pooling}, seeds={"init": 5}
    )
    _load(fresh, tmp_path / "best")
    assert (fresh.logits(trial.data.test) == logits).all()
    again = tiny_trial(method, on=backbone)  # The head is drawn as in the first trial.
    with torch.no_grad():
        assert torch.equal(model.eval()(input_ids=ids).logits, before)
    again.close()
    assert vars(model.config) == config


def test_a_resumed_trial_pools_alike() -> None:
    settings: dict[str, Any] = {"backbone": {"pooling": "mean"}}
    whole, half = tiny_trial("lora", **settings), tiny_trial("lora", **settings)
    whole.train_until(6)
    half.train_until(3)
    resumed = tiny_trial("lora", **settings)
    resumed.load_state_dict(half.state_dict())
    resumed.train_until(6)
    assert_same(trained(resumed), trained(whole))
    other = tiny_trial("lora")
    other.train_until(6)
    assert any((trained(other)[name] != w).any() for name, w in trained(whole).items())


def test_the_pooling_changes_no_count_and_is_part_of_the_identity_of_the_weights() -> None:
    spec = tiny_spec("lora", backbone={"pooling": "mean"})
    for family in ("opt", "bert", "modernbert"):
        backbone = tiny_backbone(family)
        assert count_trained(spec, backbone) == count_trained(tiny_spec("lora"), backbone)
    stored = identity(spec)
    assert difference(stored, spec) is None
    assert difference(stored, tiny_spec("lora")) == "backbone.pooling='mean', not 'auto'"
    del stored["backbone_settings"]  # As an earlier version wrote it.
    assert difference(stored, spec) is None


def test_a_pooling_or_a_matrix_that_a_family_lacks_is_refused() -> None:
    opt, llama, gated = (tiny_backbone(name).info for name in ("opt", "llama", "mosaicbert"))
    searched = {"pooling": {"type": "categorical", "choices": ["auto", "cls"]}}
    with pytest.raises(InputError, match=r"backbone\.pooling: must be .* \(opt\).*but got cls"):
        check_fit(tiny_spec(backbone=searched), opt)
    with pytest.raises(InputError, match=r"backbone\.pooling: must be"):
        tiny_trial(on=tiny_backbone("llama"), backbone={"pooling": "cls"})
    gate = tiny_spec("lora", matrices=["q", "gate"])
    check_fit(gate, llama)
    with pytest.raises(InputError, match=r"adapter\.matrices: .* has no gate, but got gate"):
        check_fit(gate, opt)
    with pytest.raises(InputError, match=r"f1 computes the gate too, but got gate"):
        check_fit(gate, gated)
