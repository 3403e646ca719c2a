"""transformers' Conv1D, whose weight is transposed; query, key and value in one matrix."""

import copy

import peft
import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2ForSequenceClassification
from transformers.pytorch_utils import Conv1D

from adapters import (
    adapted_layers,
    inject,
    load_peft,
    merge,
    save_peft_adalora,
    save_peft_lora,
)

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # Of PEFT.

TARGETS = [r".*\.attn\.c_proj", r".*\.mlp\.c_fc"]


def tiny_gpt2():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=30, n_embd=8, n_head=2, n_layer=2, n_positions=16, num_labels=2,
        pad_token_id=0, resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0,
    )  # fmt: skip
    return GPT2ForSequenceClassification(config).eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 15).view(2, 6)).logits


def adapted(kind="svd"):
    model = tiny_gpt2()
    layers = inject(model, TARGETS, 3, alpha=6, kind=kind, generator=torch.Generator())
    for number, layer in enumerate(layers.values()):
        own = torch.Generator().manual_seed(number)
        weight = layer.lam if kind == "svd" else layer.P
        weight.data = torch.randn(weight.shape, generator=own)
        layer.P.data *= 10
    return model, layers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_update_is_that_of_a_linear_layer_with_the_transposed_weight(dtype):
    torch.manual_seed(0)
    conv, linear = Conv1D(5, 3).to(dtype), nn.Linear(3, 5, dtype=dtype)
    linear.weight.data, linear.bias.data = conv.weight.data.T.clone(), conv.bias.data.clone()
    x, outputs, merged = torch.randn(2, 4, 3, dtype=dtype), [], []
    for layer in (conv, linear):
        model = nn.Sequential(layer)
        own = inject(model, ["0"], 2, alpha=2, generator=torch.Generator().manual_seed(1))["0"]
        own.lam.data = torch.tensor([3.0, -4.0])
        outputs.append(model(x))
        merge(model)
        merged.append(model(x))
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*merged)
    torch.testing.assert_close(merged[0], outputs[0])


def test_merged_layers_are_of_the_same_class_and_compute_the_same():
    model, _ = adapted()
    original = copy.deepcopy(tiny_gpt2().state_dict())
    before = logits(model)
    assert not torch.allclose(before, logits(tiny_gpt2()), atol=1e-3)
    bases = [layer.base for layer in adapted_layers(model).values()]
    merge(model)
    torch.testing.assert_close(logits(model), before, rtol=0, atol=1e-6)
    assert isinstance(model.transformer.h[0].mlp.c_fc, Conv1D)
    assert model.transformer.h[0].mlp.c_fc not in bases
    assert model.state_dict().keys() == original.keys()
    assert torch.equal(bases[1].weight, original["transformer.h.0.mlp.c_fc.weight"])


@pytest.mark.parametrize("kind", ["svd", "lora"])
def test_peft_computes_the_same_from_an_exported_folder_and_merges_it(kind, tmp_path):
    model, _ = adapted(kind)
    save = save_peft_adalora if kind == "svd" else save_peft_lora
    save(model, tmp_path)
    loaded = peft.PeftModel.from_pretrained(tiny_gpt2(), tmp_path)
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=1e-5)
    merge(model)
    theirs = loaded.merge_and_unload()
    for name in ("attn.c_proj", "mlp.c_fc"):
        own, other = (m.transformer.h[1].get_submodule(name).weight for m in (model, theirs))
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5)


def test_a_folder_of_peft_is_loaded(tmp_path):
    config = peft.LoraConfig(
        r=3, target_modules=["c_fc"], fan_in_fan_out=True, init_lora_weights=False
    )
    theirs = peft.get_peft_model(tiny_gpt2(), config).eval()
    theirs.save_pretrained(tmp_path)
    model = tiny_gpt2()
    assert len(load_peft(model, tmp_path)) == 2
    torch.testing.assert_close(logits(model), logits(theirs), rtol=0, atol=1e-5)


def attention(name, outputs):
    class TinyAttention(nn.Module):
        def __init__(self):
            super().__init__()
            setattr(self, name, nn.Linear(4, outputs))

    return nn.ModuleDict({"layer": TinyAttention()})


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        *((name, 12) for name in ("qkv", "qkv_proj", "Wqkv", "query_key_value", "c_attn", "proj")),
        *((name, 8) for name in ("kv_proj", "to_kv", "Wkv", "q_attn_kv_c_attn")),
    ],
)
def test_a_layer_with_several_of_q_k_v_in_one_matrix_is_refused_by_its_name(name, outputs):
    model = attention(name, outputs)
    with pytest.raises(ValueError, match=rf"matrix of its own, but got 'layer\.{name}', which"):
        inject(model, [r".*\." + name], 2, alpha=2, generator=torch.Generator())
    assert not adapted_layers(model)


@pytest.mark.parametrize("name", ["q_proj", "k_proj", "value", "out_proj", "c_proj", "key"])
def test_other_layers_are_not_taken_for_fused_ones(name):
    model = attention(name, 4)
    assert inject(model, [r".*\." + name], 2, alpha=2, generator=torch.Generator())


def test_gpt2_is_refused_where_a_pattern_reaches_its_fused_layer():
    with pytest.raises(ValueError, match=r"'transformer\.h\.0\.attn\.c_attn', which has query"):
        inject(tiny_gpt2(), [r".*\.attn\.c_.*"], 2, alpha=2, generator=torch.Generator())
