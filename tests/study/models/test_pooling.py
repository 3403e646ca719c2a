"""What the head reads, against a literal reference: the hidden states of each row by itself."""

from typing import Any

import pytest
import torch
from torch import Tensor

from study.errors import InputError
from study.models import Backbone, Pooling
from study.models.families import FAMILIES, HEADS, PRETRAINED
from study.models.pooling import own_pooling, pooling_remark
from study.training.batches import collate
from study.training.encoding import encode_split
from tests.study.training.tiny_trials import CPU, PAD, tiny_backbone

ROWS = [[2, 9, 7, 11, 5, 8], [2, 6, 13], [2, 10, 12, 4, 9]]


def _batch(backbone: Backbone, rows: list[list[int]]) -> dict[str, Tensor]:
    """What a trial gives the model: a causal one has no mask."""
    split = encode_split(rows, [0] * len(rows))
    batch = collate(split, torch.arange(len(rows)).numpy(), PAD, CPU, causal=backbone.info.causal)
    del batch["labels"]
    return batch


def _head(model: Any, base: str, vector: Tensor) -> Tensor:
    """The logits of one vector, written out."""
    if base in ("opt", "llama"):
        return model.score(vector)
    if base == "bert":
        pooler = model.bert.pooler.dense
        return model.classifier(torch.tanh(pooler(vector)))
    if base == "esm":
        return model.classifier.out_proj(torch.tanh(model.classifier.dense(vector)))
    return model.classifier(model.head(vector))


@torch.no_grad()
def _expected(backbone: Backbone, row: list[int], pooling: str) -> Tensor:
    """The logits of a row without padding, from the states of the last layer."""
    model: Any = backbone.model
    found = []
    states = model.get_submodule(HEADS[backbone.info.base].states)
    handle = states.register_forward_hook(lambda *call: found.append(call[-1]))
    model(input_ids=torch.tensor([row]))
    handle.remove()
    [output] = found
    hidden = output if isinstance(output, Tensor) else output.last_hidden_state
    vector = {"mean": hidden[0].sum(0) / len(row), "last": hidden[0, -1], "cls": hidden[0, 0]}
    return _head(model, backbone.info.base, vector[pooling])


CASES = [
    (family, pooling)
    for family in PRETRAINED
    for pooling in ("mean", "last", *(() if FAMILIES[family].causal else ("cls",)))
]


@pytest.mark.parametrize(("family", "pooling"), CASES)
@torch.no_grad()
def test_the_logits_are_those_of_each_rows_own_vector(family: str, pooling: str) -> None:
    backbone = tiny_backbone(family)
    expected = torch.stack([_expected(backbone, row, pooling) for row in ROWS])
    changed = Pooling(backbone.model, family, pooling)
    torch.testing.assert_close(
        backbone.model(**_batch(backbone, ROWS)).logits, expected, rtol=0, atol=1e-6
    )
    together = backbone.model(**_batch(backbone, ROWS[:1] * 2)).logits  # Nothing is padded.
    torch.testing.assert_close(together, expected[[0, 0]], rtol=0, atol=1e-6)
    changed.remove()


@pytest.mark.parametrize("family", PRETRAINED)
@torch.no_grad()
def test_auto_and_the_class_s_own_pooling_change_nothing_and_others_are_undone(
    family: str,
) -> None:
    backbone = tiny_backbone(family)
    model: Any = backbone.model
    batch, before = _batch(backbone, ROWS), dict(vars(model.config))
    own = model(**batch).logits
    for pooling in ("auto", own_pooling(family, model.config)):
        kept = Pooling(model, family, pooling)
        assert torch.equal(model(**batch).logits, own)
        assert not any(module._forward_hooks for module in model.modules())
        kept.remove()
    changed = Pooling(model, family, "mean")
    assert not torch.allclose(model(**batch).logits, own)
    changed.remove()
    assert torch.equal(model(**batch).logits, own)
    assert vars(model.config) == before
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("family", [name for name in FAMILIES if FAMILIES[name].causal])
def test_the_first_token_of_a_causal_model_is_refused(family: str) -> None:
    rule = rf"backbone\.pooling: must be auto, mean or last with a causal model \({family}\)"
    with pytest.raises(InputError, match=rf"{rule}.*but got cls"):
        Pooling(tiny_backbone(family).model, family, "cls")


@pytest.mark.parametrize("family", PRETRAINED)
def test_the_remark_names_what_the_class_does_not_read(family: str) -> None:
    model: Any = tiny_backbone(family).model
    own = own_pooling(family, model.config)
    assert pooling_remark(family, model.config, "auto", saved=False) == ""
    assert pooling_remark(family, model.config, own, saved=True) == ""
    other = {"cls": "last", "last": "mean"}[own]
    remark = pooling_remark(family, model.config, other, saved=True)
    assert remark.endswith(f"call study.models.Pooling(model, {family!r}, {other!r})")


def test_the_config_of_modernbert_says_two_poolings_where_it_is_saved() -> None:
    model: Any = tiny_backbone("modernbert").model
    Pooling(model, "modernbert", "mean")
    assert model.config.classifier_pooling == "mean"
    assert pooling_remark("modernbert", model.config, "mean", saved=True) == ""
    remark = pooling_remark("modernbert", model.config, "mean", saved=False)
    assert remark == "load the base model with classifier_pooling='mean'"


@torch.no_grad()
def test_a_mask_says_which_tokens_of_a_causal_model_are_real() -> None:
    backbone = tiny_backbone("opt")
    Pooling(backbone.model, "opt", "mean")
    ids = torch.tensor([[2, PAD, 9, 7, PAD]])  # The first of them is a token of the sequence.
    mask = torch.tensor([[1, 1, 1, 1, 0]])
    found = backbone.model(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(found, backbone.model(input_ids=ids).logits)
    alone = backbone.model(input_ids=ids[:, :4], attention_mask=mask[:, :4]).logits
    torch.testing.assert_close(found, alone)


@torch.no_grad()
def test_the_mean_of_half_precision_states_is_rounded_once() -> None:
    from study.models.pooling import pooled

    hidden = torch.linspace(1, 2, 3000, dtype=torch.bfloat16).reshape(1, -1, 1)
    mean = pooled(hidden, torch.ones(1, 3000, dtype=torch.bool), "mean")
    assert mean.dtype == torch.bfloat16
    assert torch.equal(mean, hidden.float().mean(1).bfloat16())
