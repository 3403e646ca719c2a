import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from study.errors import InputError
from study.models import empty_backbone, inspect_backbone, load_backbone
from study.models.families import PRETRAINED


def _load(folder, dtype="float32"):
    return load_backbone(inspect_backbone(str(folder)), num_labels=2, dtype=dtype)


def _edit(folder, change):
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_hub_checkpoint_of_dnabert_2_loads_with_its_fused_matrix_split(checkpoint):
    folder = checkpoint("mosaicbert", hub=True)
    stored = torch.load(folder / "pytorch_model.bin", weights_only=True)
    backbone = _load(folder)
    loaded = backbone.model.state_dict()
    assert backbone.info.family == "mosaicbert"
    attention = "bert.encoder.layer.1.attention.self"
    for kind in ("weight", "bias"):
        parts = [loaded[f"{attention}.{part}.{kind}"] for part in ("query", "key", "value")]
        assert torch.equal(stored[f"{attention}.Wqkv.{kind}"], torch.cat(parts))
    rest = {name for name in stored if "Wqkv" not in name and not name.startswith("cls.")}
    assert all(torch.equal(stored[name], loaded[name]) for name in rest)
    new = set(loaded) - rest - {name for name in loaded if ".attention.self." in name}
    assert new == {
        f"{n}.{k}" for n in ("bert.pooler.dense", "classifier") for k in ("weight", "bias")
    }


def test_a_hub_checkpoint_of_nucleotide_transformer_v2_loads_key_for_key(checkpoint):
    folder = checkpoint("gated_esm", hub=True)
    stored = torch.load(folder / "pytorch_model.bin", weights_only=True)
    backbone = _load(folder)
    loaded = backbone.model.state_dict()
    assert backbone.info.family == "gated_esm"
    assert loaded["esm.encoder.layer.0.intermediate.dense.weight"].shape == (48, 16)
    assert "esm.encoder.layer.0.output.dense.bias" not in loaded
    unused = {name for name in stored if name.startswith("lm_head") or "rotary" in name}
    assert all(torch.equal(stored[name], loaded[name]) for name in set(stored) - unused)


def test_a_hub_checkpoint_of_generator_loads_key_for_key(checkpoint):
    folder = checkpoint("llama", hub=True)
    stored = torch.load(folder / "pytorch_model.bin", weights_only=True)
    backbone = _load(folder)
    loaded = backbone.model.state_dict()
    assert backbone.info.family == "llama"
    assert backbone.model.config.rope_parameters["rope_theta"] == 500000.0
    assert loaded["model.layers.0.self_attn.q_proj.weight"].shape == (12, 16)
    assert loaded["model.layers.0.self_attn.k_proj.weight"].shape == (6, 16)
    unused = {name for name in stored if name.startswith("lm_head") or "rotary" in name}
    assert set(loaded) - {"score.weight"} == set(stored) - unused
    assert all(torch.equal(stored[name], loaded[name]) for name in set(stored) - unused)
    assert backbone.model.config.pad_token_id == backbone.tokenizer.pad_id == 3


def test_a_hub_checkpoint_of_modernbert_loads_with_its_fused_matrix_split(checkpoint):
    folder = checkpoint("modernbert", hub=True)
    stored = torch.load(folder / "pytorch_model.bin", weights_only=True)
    loaded = _load(folder).model.state_dict()
    attention = "model.layers.1.attn.Wqkv"
    parts = [loaded[f"{attention}.{part}.weight"] for part in ("query", "key", "value")]
    assert torch.equal(stored[f"{attention}.weight"], torch.cat(parts))
    rest = {name for name in loaded if "Wqkv" not in name and not name.startswith(("head", "cl"))}
    assert all(torch.equal(stored[name], loaded[name]) for name in rest)


def test_a_hub_checkpoint_without_a_fused_matrix_is_refused(checkpoint):
    folder = checkpoint("mosaicbert", hub=True)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del state["bert.encoder.layer.1.attention.self.Wqkv.weight"]
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"3 missing \(bert\.encoder\.layer\.1\.attention"):
        _load(folder)


@pytest.mark.parametrize("family", ["mosaicbert", "gated_esm", "llama", "modernbert"])
def test_a_hub_checkpoint_saved_again_is_of_its_family(checkpoint, family, tmp_path):
    folder = checkpoint(family, hub=True)
    first = _load(folder)
    for file in ("tokenizer.json", "vocab.txt"):
        if (folder / file).exists():
            (tmp_path / file).write_bytes((folder / file).read_bytes())
    first.model.save_pretrained(tmp_path)
    again = _load(tmp_path)
    assert again.info.family == family
    before, after = first.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("family", PRETRAINED)
def test_a_half_precision_checkpoint_loads_in_the_given_dtype(checkpoint, family):
    folder = checkpoint(family, dtype=torch.float16)
    assert {p.dtype for p in _load(folder).model.parameters()} == {torch.float32}
    assert {p.dtype for p in _load(folder, "bfloat16").model.parameters()} == {torch.bfloat16}


def test_a_head_for_another_number_of_classes_is_ignored(checkpoint):
    folder = checkpoint("opt")
    _edit(folder, lambda state: state.update({"score.weight": torch.zeros(7, 16)}))
    assert _load(folder).model.score.weight.shape == (2, 16)


def test_a_bin_checkpoint_with_pickled_objects_is_refused(checkpoint):
    folder = checkpoint("opt")
    (folder / "model.safetensors").unlink()
    torch.save({"weights": pytest.approx}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="with tensors only"):
        _load(folder)


def test_a_damaged_safetensors_file_is_refused(checkpoint):
    folder = checkpoint("opt")
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"model\.safetensors must be safetensors"):
        _load(folder)


@pytest.mark.parametrize(
    "change",
    [{"num_attention_heads": 7}, {"activation_function": "none such"}, {"dropout": "much"}],
)
def test_a_config_from_which_no_model_can_be_built_is_refused(checkpoint, change):
    folder = checkpoint("opt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(
        InputError,
        match=r"config\.json must describe a model of the opt family, but got .*;",
    ):
        empty_backbone(inspect_backbone(str(folder)), num_labels=2)


def test_loading_does_not_change_the_global_random_stream(checkpoint):
    folder = checkpoint("bert")
    before = torch.get_rng_state()
    _load(folder)
    assert torch.equal(before, torch.get_rng_state())


def test_a_pad_token_missing_from_the_config_comes_from_the_vocabulary(checkpoint):
    folder = checkpoint("bert")
    config = json.loads((folder / "config.json").read_text())
    config.pop("pad_token_id", None)
    (folder / "config.json").write_text(json.dumps(config))
    backbone = _load(folder)
    assert backbone.model.config.pad_token_id == backbone.tokenizer.pad_id == 0


@pytest.mark.parametrize("family", PRETRAINED)
def test_padding_on_the_right_changes_no_logit(checkpoint, family, random_dna):
    backbone = _load(checkpoint(family))
    ids = torch.tensor(backbone.tokenizer(random_dna(1, 60)))
    with torch.no_grad():
        alone = backbone.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        padding = torch.full((1, 3), backbone.tokenizer.pad_id)
        mask = torch.cat([torch.ones_like(ids), torch.zeros_like(padding)], dim=1)
        padded = backbone.model(input_ids=torch.cat([ids, padding], 1), attention_mask=mask).logits
    torch.testing.assert_close(alone, padded)


def test_the_longest_row_that_is_allowed_runs(checkpoint, random_dna):
    for family in PRETRAINED:
        backbone = _load(checkpoint(family))
        (row,) = backbone.tokenizer(random_dna(1, 400))
        limit = backbone.info.max_positions or len(row)
        ids = torch.tensor([backbone.tokenizer.cut(row, limit)])
        assert ids.shape == (1, limit)
        with torch.no_grad():
            assert backbone.model(input_ids=ids).logits.isfinite().all()


def test_the_embedded_backbone_loads_and_stays_below_its_size(random_dna):
    info = inspect_backbone("opt-dna-mini")
    backbone = load_backbone(info, num_labels=2, dtype="float32")
    parameters = sum(p.numel() for p in backbone.model.parameters())
    assert 1_000_000 <= parameters <= 2_000_000
    assert sum(f.stat().st_size for f in info.folder.iterdir() if f.is_file()) <= 5_000_000
    assert len(backbone.tokenizer(random_dna(1, 300))[0]) < 120
