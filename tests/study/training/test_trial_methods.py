"""Which parameters each method trains, and that no others change."""

import re
from functools import cache

import pytest
import torch
from torch import nn

from study.models import head_pattern
from study.training.facts import rank_facts
from study.training.trial import Trial
from tests.study.training.tiny_trials import (
    FAMILIES,
    METHODS,
    assert_same,
    tiny_backbone,
    tiny_task,
    tiny_trial,
    trained,
)

ADAPTER_NAMES = {
    "adalora_rs": {"P", "lam", "Q"},
    "adalora": {"P", "lam", "Q"},
    "lora": {"P", "Q"},
    "fmft": set(),
    "linear_probe": set(),
}


def _parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def _is_head(name: str, family: str) -> bool:
    return re.fullmatch(head_pattern(family), name) is not None


Parameters = dict[str, torch.Tensor]


@cache
def _parameters_of_a_trial(
    family: str, method: str
) -> tuple[Parameters, Parameters, Parameters, Parameters]:
    """Parameters of the backbone, of the trial before and after 3 steps, of the closed trial."""
    backbone = tiny_backbone(family)
    loaded = _parameters(backbone.model)
    trial = tiny_trial(method, on=backbone)
    before = _parameters(trial.model)
    trial.train_until(3)
    after = _parameters(trial.model)
    trial.close()
    return loaded, before, after, _parameters(backbone.model)


def _expected_to_change(names: set[str], family: str, method: str) -> set[str]:
    if method == "fmft":
        return {name for name in names if "contact_head" not in name}  # The loss does not use it.
    adapted = {name for name in names if name.rpartition(".")[2] in ADAPTER_NAMES[method]}
    return adapted | {name for name in names if _is_head(name, family)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_exactly_the_parameters_of_the_method_change(family: str, method: str) -> None:
    _, before, after, _ = _parameters_of_a_trial(family, method)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == _expected_to_change(set(before), family, method)
    assert any(_is_head(name, family) for name in changed)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_closing_a_trial_restores_the_backbone_bit_for_bit(family: str, method: str) -> None:
    loaded, _, _, closed = _parameters_of_a_trial(family, method)
    assert list(closed) == list(loaded)
    for name in loaded:
        assert _is_head(name, family) or torch.equal(loaded[name], closed[name]), name


@pytest.mark.parametrize("family", ["opt", "gated_esm"])
def test_trials_on_a_used_backbone_equal_trials_on_a_fresh_one(family: str) -> None:
    backbone = tiny_backbone(family)
    for method in (*METHODS, "adalora_rs"):
        settings = {"p": 0.5, "prune_mode": "mask"} if method == "adalora_rs" else {}
        used = tiny_trial(method, on=backbone, **settings)
        fresh = tiny_trial(method, on=tiny_backbone(family), **settings)
        assert used.train_until(2) == fresh.train_until(2)
        assert_same(trained(used), trained(fresh), method)
        used.close()


def test_an_adapted_model_starts_as_the_backbone_with_the_new_head() -> None:
    probe, adapted = tiny_trial("linear_probe"), tiny_trial("adalora_rs")
    head = trained(probe)["score.weight"]
    with torch.no_grad():
        adapted.prepared.head["score.weight"].copy_(head)
    assert (adapted.logits(adapted.data.dev) == probe.logits(probe.data.dev)).all()


def test_lora_adapts_the_given_matrices_and_no_others() -> None:
    trial = tiny_trial("lora", matrices=["q", "f2"])
    kinds = {name.rpartition(".")[2] for name in trial.prepared.adapters}
    assert kinds == {"q_proj", "fc2"}
    assert len(trial.prepared.adapters) == 4


def test_adalora_is_adalora_rs_with_p_0() -> None:
    plain = tiny_trial("adalora")
    random = tiny_trial("adalora_rs", p=0.0)
    plain.train_until(12)
    random.train_until(12)
    assert_same(trained(plain), trained(random))
    assert rank_facts(plain.allocator) == rank_facts(random.allocator)


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [("bfloat16", "fp32"), ("bfloat16", "bf16"), ("float16", "fp32"), ("float16", "fp16")],
)
@pytest.mark.parametrize("method", ["adalora_rs", "fmft", "linear_probe"])
def test_trained_parameters_of_a_half_precision_backbone_are_float32(
    method: str, dtype: str, precision: str
) -> None:
    backbone = tiny_backbone("bert", dtype=getattr(torch, dtype))
    trial = tiny_trial(method, on=backbone, backbone={"dtype": dtype}, precision=precision)
    before = trained(trial)
    trial.train_until(2)
    assert {p.dtype for p in before.values()} == {torch.float32}
    assert not torch.equal(before["classifier.weight"], trained(trial)["classifier.weight"])


def test_facts_count_the_trained_parameters() -> None:
    facts = tiny_trial("adalora_rs", task=tiny_task(labels=2)).facts()
    per_layer = 4 * (4 * (16 + 16) + (16 + 32) + (32 + 16)) + 6 * 4  # P and Q, then lam
    assert facts["adapter_parameters"] == 2 * per_layer
    assert facts["kept_parameters"] == facts["adapter_parameters"]
    assert facts["head_parameters"] == 2 * 16
    assert facts["trainable_parameters"] == 2 * per_layer + 2 * 16
    assert facts["budget"] == facts["kept"] == 12 * 4
    assert facts["rank"] == facts["missing_gradients"] == 0


def test_facts_are_those_of_the_last_mask_event() -> None:
    trial = tiny_trial("adalora")
    trial.train_until(12)
    facts = trial.facts()
    assert facts["budget"] == facts["kept"] == facts["rank"] == 12 * 2
    assert facts["dropped"] == facts["reintroduced"] == 0


def _of_ranks(trial: Trial, ranks: dict[str, int]) -> int:
    shapes = {name: (m.P.shape[0], m.Q.shape[1]) for name, m in trial.prepared.adapters.items()}
    return sum(rank * (sum(shapes[name]) + 1) for name, rank in ranks.items())


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
@pytest.mark.parametrize("steps", [5, 12])
def test_kept_parameters_are_those_of_the_kept_triplets(prune_mode: str, steps: int) -> None:
    trial = tiny_trial("adalora_rs", prune_mode=prune_mode)
    trial.train_until(steps)
    facts, last = trial.facts(), trial.allocator.trace()[-1]
    assert facts["kept_parameters"] == _of_ranks(trial, last["ranks"])
    assert facts["kept_parameters"] < facts["adapter_parameters"]


@pytest.mark.parametrize("method", ["lora", "fmft", "linear_probe"])
def test_without_a_mask_all_adapter_parameters_are_kept(method: str) -> None:
    trial = tiny_trial(method)
    trial.train_until(2)
    facts = trial.facts()
    backbone = sum(p.numel() for p in trial.prepared.backbone.values())
    assert facts["kept_parameters"] == facts["adapter_parameters"] + backbone
    assert facts["kept_parameters"] == facts["trainable_parameters"] - facts["head_parameters"]
    assert (facts["adapter_parameters"] > 0) == (method == "lora")
    assert (backbone > 0) == (method == "fmft")


def test_the_final_budget_changes_no_score_of_a_method_without_budget() -> None:
    trial = tiny_trial("lora")
    trial.train_until(2)
    current = trial.evaluate(trial.data.dev)
    assert trial.evaluate_at_final_budget(trial.data.dev, current) is current


def test_evaluation_at_the_final_budget_differs_and_does_not_affect_training() -> None:
    evaluated, plain = (tiny_trial("adalora_rs") for _ in range(2))
    for trial in (evaluated, plain):
        trial.train_until(3)
    dev = evaluated.data.dev
    current = evaluated.evaluate(dev)
    assert evaluated.evaluate_at_final_budget(dev, current)["loss"] != current["loss"]
    for trial in (evaluated, plain):
        trial.train_until(trial.plan.total_steps)
    final = evaluated.evaluate(dev)
    assert evaluated.evaluate_at_final_budget(dev, final) is final
    assert final == plain.evaluate(dev)
