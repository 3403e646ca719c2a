import pytest
import torch
from transformers import (
    EsmConfig,
    EsmForSequenceClassification,
    OPTConfig,
    OPTForSequenceClassification,
)

from adapters import count_parameters, expected_matches, inject, target_patterns
from tests.adapters.tiny_models import svd_adapters, tiny_opt

OPT_125M = {"hidden_size": 768, "ffn_dim": 3072, "num_hidden_layers": 12}
OPT_350M = {"hidden_size": 1024, "ffn_dim": 4096, "num_hidden_layers": 24}
OPT_350M |= {"word_embed_proj_dim": 512, "do_layer_norm_before": False, "num_attention_heads": 16}
NT_500M = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 24}
NT_500M |= {"num_attention_heads": 20, "vocab_size": 4105, "max_position_embeddings": 1002}
NT_500M |= {"pad_token_id": 1, "mask_token_id": 2, "position_embedding_type": "absolute"}
NT_500M |= {"tie_word_embeddings": False}


def on_meta(family, config):
    with torch.device("meta"):
        if family == "opt":
            return OPTForSequenceClassification(OPTConfig(**config))
        return EsmForSequenceClassification(EsmConfig(**config))


@pytest.mark.parametrize(
    ("family", "config", "layers", "vectors", "head", "backbone"),
    [
        ("opt", OPT_125M, 12, 1_327_104, 1_536, 125_240_832),
        ("opt", OPT_350M, 24, 3_538_944, 1_024, 331_197_440),
        ("esm", NT_500M, 24, 4_423_680, 1_642_242, 480_440_803),
    ],
    ids=["OPT-125M", "OPT-350M", "NT-500M"],
)
def test_published_models_have_the_right_counts(family, config, layers, vectors, head, backbone):
    model = on_meta(family, config)
    adapters = inject(
        model,
        target_patterns(family),
        8,
        alpha=16,
        generator=torch.Generator(),
        expected=expected_matches(layers),
    )
    head_module = model.score if family == "opt" else model.classifier
    head_module.requires_grad_(True)
    count = count_parameters(model, adapters, head_module.parameters())
    assert (count.vectors, count.values) == (vectors, 8 * 6 * layers)
    assert (count.head, count.other, count.backbone) == (head, 0, backbone)
    assert count.adapter == vectors + 8 * 6 * layers
    assert count.total == count.adapter + head


def test_dnabert_2_with_split_projections_has_the_right_count():
    layer = torch.nn.ModuleDict(
        {
            **{name: torch.nn.Linear(768, 768) for name in "qkvo"},
            "gated": torch.nn.Linear(768, 6144),
            "wo": torch.nn.Linear(3072, 768),
        }
    )
    model = torch.nn.ModuleList([layer])
    adapters = inject(model, [r"0\.\w+"], 8, alpha=16, generator=torch.Generator(), expected=6)
    assert 12 * count_parameters(model, adapters).vectors == 1_622_016


def test_with_ranks_only_the_kept_triplets_are_counted():
    model = tiny_opt(layers=1)
    adapters = svd_adapters(model, 4)
    ranks = dict.fromkeys(adapters, 0) | {"model.decoder.layers.0.fc1": 3}
    count = count_parameters(model, adapters, ranks=ranks)
    assert (count.vectors, count.values) == (3 * (16 + 32), 3)


def test_duplicate_head_parameters_are_counted_once():
    model = tiny_opt()
    svd_adapters(model, 4)
    head = list(model.score.parameters())
    assert count_parameters(model, {}, head * 2).head == 32


def test_full_fine_tuning_counts_backbone_and_head_separately():
    model = tiny_opt()
    count = count_parameters(model, {}, model.score.parameters())
    assert count.adapter == 0
    assert count.total == count.backbone == sum(p.numel() for p in model.parameters())


def test_lora_has_no_singular_values():
    model = tiny_opt()
    adapters = inject(
        model, target_patterns("opt"), 4, alpha=4, kind="lora", generator=torch.Generator()
    )
    assert count_parameters(model, adapters).values == 0
