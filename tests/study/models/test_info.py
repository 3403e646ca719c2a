import json
import subprocess
import sys

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from study.errors import InputError
from study.models.info import inspect_backbone


@pytest.mark.parametrize(
    ("family", "positions"),
    [("opt", 64), ("bert", 64), ("esm", 64), ("mosaicbert", None), ("gated_esm", 64)],
)
def test_family_and_sizes_of_a_folder(checkpoint, family, positions):
    info = inspect_backbone(str(checkpoint(family)))
    assert info.family == family
    assert (info.layers, info.hidden_size, info.feed_forward_size) == (2, 16, 24)
    assert info.max_positions == positions
    assert info.source == str(info.folder)


def test_the_embedded_backbone_is_found_by_its_name():
    info = inspect_backbone("opt-dna-mini")
    assert (info.family, info.has_tokenizer_json) == ("opt", True)


def test_a_config_without_model_type_is_recognised_by_its_architecture(checkpoint):
    folder = checkpoint("bert")
    config = json.loads((folder / "config.json").read_text())
    del config["model_type"]
    (folder / "config.json").write_text(json.dumps(config))
    assert inspect_backbone(str(folder)).family == "bert"


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must contain config\.json, but got nothing"):
        inspect_backbone(str(tmp_path))


def test_a_folder_without_weights_is_refused(checkpoint):
    folder = checkpoint("opt")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"must contain weights .* but got config\.json"):
        inspect_backbone(str(folder))


def test_an_unknown_family_is_refused(checkpoint):
    folder = checkpoint("opt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(
        InputError,
        match="one of opt, bert, esm, mosaicbert, gated_esm, llama, modernbert, but got gpt2",
    ):
        inspect_backbone(str(folder))


def test_a_model_that_needs_its_own_code_is_refused(checkpoint):
    folder = checkpoint("bert")
    config = {"auto_map": {"AutoModel": "bert_layers.BertModel"}, "hidden_size": 16}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="with its own code, which is never run"):
        inspect_backbone(str(folder))


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, "\x00"])
def test_a_config_that_is_no_json_object_is_refused(checkpoint, text):
    folder = checkpoint("opt")
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json must"):
        inspect_backbone(str(folder))


def test_a_config_without_a_size_is_refused(checkpoint):
    folder = checkpoint("opt")
    config = json.loads((folder / "config.json").read_text())
    del config["ffn_dim"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"ffn_dim in config\.json must be a positive integer"):
        inspect_backbone(str(folder))


@pytest.mark.parametrize(
    ("family", "change", "got"),
    [
        ("esm", {"pad_token_id": None}, "but got None"),  # positions start at pad_id + 1
        ("gated_esm", {"pad_token_id": None}, "but got None"),
        ("bert", {"pad_token_id": 69}, "below vocab_size 69, but got 69"),
        ("opt", {"pad_token_id": -1}, "but got -1"),
        ("opt", {"bos_token_id": 32}, "below vocab_size 32, but got 32"),
        ("opt", {"bos_token_id": [2]}, r"but got \[2\]"),
    ],
)
def test_a_special_token_without_an_embedding_is_refused(checkpoint, family, change, got):
    folder = checkpoint(family)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=rf"{next(iter(change))} in config\.json must .*{got}"):
        inspect_backbone(str(folder))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"hidden_size": True}, "a positive integer, but got True"),
        ({"hidden_size": "16"}, "a positive integer, but got '16'"),
        ({"hidden_size": 2**63}, "a positive integer of at most"),
        ({"num_hidden_layers": 10**9}, "a positive integer of at most 1000"),
        ({"word_embed_proj_dim": "8"}, "a positive integer"),
        ({"dropout": 3}, "a rate from 0 to below 1, but got 3"),
        ({"attention_dropout": -0.1}, "a rate from 0"),
        ({"layerdrop": float("nan")}, "a rate from 0"),
        ({"layer_norm_eps": 0}, "a number between 0 and 1"),
    ],
)
def test_a_value_that_no_model_can_have_is_refused(checkpoint, change, rule):
    folder = checkpoint("opt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=rf"{next(iter(change))} in config\.json must be {rule}"):
        inspect_backbone(str(folder))


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, r" \(bitsandbytes\);"),
        ({"bits": 4}, ";"),
        ("4bit", ";"),
    ],
)
def test_a_quantised_model_is_refused(checkpoint, found, shown):
    folder = checkpoint("opt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": found}))
    with pytest.raises(InputError, match=f"floating-point, .*with quantization_config{shown}"):
        inspect_backbone(str(folder))
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": None}))
    assert inspect_backbone(str(folder)).family == "opt"


@pytest.mark.parametrize("architectures", [7, {"a": 1}, [], [None], "BertModel"])
def test_odd_architectures_are_no_family(checkpoint, architectures):
    folder = checkpoint("bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": None, "architectures": architectures}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"the family .* must be one of"):
        inspect_backbone(str(folder))


@pytest.mark.parametrize("name", ["opt-dna-maxi", "./nowhere", "../a", "a/b/c"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InputError, match="an existing folder or a hub id"):
        inspect_backbone(name)


def test_a_hub_id_without_network_or_cache_names_both_remedies(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"hf download some/model.* or give a local folder"):
        inspect_backbone("some/model")


def test_an_interrupted_download_leaves_no_config_in_the_cache(monkeypatch):
    requested = []

    def lose_connection(name, file, revision):
        requested.append(file)
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("study.hub.Repository.check_connection", lambda self: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lose_connection)
    with pytest.raises(InputError, match=r"but got no connection .*hf download some/model\)"):
        inspect_backbone("some/model")
    assert len(requested) == 1
    assert "config.json" not in requested  # The file by which a model counts as cached.


def test_inspecting_and_tokenising_load_neither_torch_nor_transformers():
    code = (
        "import sys; from study.models.info import inspect_backbone as i; "
        "from study.models import token_lengths as n; n(i('opt-dna-mini'), ['ACGT']); "
        "sys.exit(bool({'torch', 'transformers', 'ray', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
