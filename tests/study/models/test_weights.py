"""Weight files as people have them: read, or refused with what they are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from study.errors import InputError
from study.models import Backbone, inspect_backbone, load_backbone
from study.models.families import PRETRAINED

Checkpoint = Callable[..., Path]
State = dict[str, torch.Tensor]


def _load(folder: Path, dtype: str = "float32") -> Backbone:
    info = inspect_backbone(str(folder))
    return load_backbone(info, num_labels=2, dtype=dtype)  # type: ignore[arg-type]


def _refused(folder: Path, dtype: str = "float32") -> str:
    with pytest.raises(InputError) as refused:
        _load(folder, dtype)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def _rename(folder: Path, rename: Callable[[str], str]) -> None:
    state = load_file(folder / "model.safetensors")
    named = {rename(name): tensor for name, tensor in state.items()}
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})


def _backbone_weights(folder: Path) -> State:
    head = ("classifier", "score", "bert.pooler", "head.")
    state = _load(folder).model.state_dict()
    return {name: weight for name, weight in state.items() if not name.startswith(head)}


def _as_bin(folder: Path, change: Callable[[State], object] = lambda state: state) -> Path:
    content = change(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin"


@pytest.mark.parametrize("family", ["opt", "bert", "gated_esm"])
def test_a_prefix_before_every_name_is_removed_and_said(
    checkpoint: Checkpoint, family: str
) -> None:
    folder = checkpoint(family)
    expected = _backbone_weights(folder)
    assert _load(folder).remarks == ()
    _rename(folder, lambda name: f"_orig_mod.{name}")
    [remark] = _load(folder).remarks
    assert remark.endswith("the prefix _orig_mod. was removed from the names of its weights")
    found = _backbone_weights(folder)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("family", "model"),
    [("opt", transformers.OPTModel), ("bert", transformers.BertModel),
     ("esm", transformers.EsmModel), ("llama", transformers.LlamaModel),
     ("modernbert", transformers.ModernBertModel)],
)  # fmt: skip
def test_a_model_without_a_head_gets_a_new_one(
    checkpoint: Checkpoint, family: str, model: type[transformers.PreTrainedModel]
) -> None:
    folder = checkpoint(family)
    bare = model(model.config_class.from_pretrained(folder))
    bare.save_pretrained(folder)
    assert family not in next(iter(load_file(folder / "model.safetensors")))
    found = _backbone_weights(folder)
    expected = bare.state_dict()
    assert all(
        torch.equal(found[n], expected[n.partition(".")[2]]) for n in found if "Wqkv" not in n
    )


def test_integer_buffers_of_old_versions_are_ignored(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert")
    _rename(folder, lambda name: name.removeprefix("bert."))
    _as_bin(folder, lambda state: state | {"embeddings.position_ids": torch.arange(64)[None]})
    assert _load(folder).remarks == ()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_are_those_of_the_start_if_the_file_is_overwritten(
    checkpoint: Checkpoint, dtype: torch.dtype
) -> None:
    folder = checkpoint("bert", dtype=dtype)
    for path in (folder / "model.safetensors", _as_bin(folder)):
        if not path.exists():
            continue
        model = _load(folder).model
        before = {name: weight.clone() for name, weight in model.named_parameters()}
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 8)
            file.write(b"\x11" * (path.stat().st_size // 2))
        assert all(torch.equal(before[n], weight) for n, weight in model.named_parameters())


@pytest.mark.parametrize("old", [False, True])
def test_a_pickled_model_is_named_by_its_class(checkpoint: Checkpoint, old: bool) -> None:
    folder = checkpoint("bert")
    model = transformers.BertForMaskedLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save(model, path, _use_new_zipfile_serialization=not old)
    error = _refused(folder)
    assert "but got a pickled object (transformers.models.bert.modeling_bert.BertForMask" in error
    assert "save_pretrained" in error
    path.write_bytes(path.read_bytes().replace(b"training", b"draining", 1))
    assert "but got a pickled object (transformers.models.bert" in _refused(folder)


def test_a_training_checkpoint_is_named_with_the_entry_to_save(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert")
    path = _as_bin(folder, lambda state: {"epoch": 3, "state_dict": state})
    error = _refused(folder)
    assert "but got a training checkpoint with epoch, state_dict; save its state_dict" in error
    torch.save(torch.load(path)["state_dict"], path)
    assert _load(folder).remarks == ()


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"a": 1}, torch.zeros(2), "text"])
def test_a_bin_with_other_values_is_refused(checkpoint: Checkpoint, content: object) -> None:
    folder = checkpoint("bert")
    _as_bin(folder, lambda state: content)
    assert "must contain tensors by their names, but got" in _refused(folder)


def test_the_state_of_a_model_with_adapters_is_named(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert")
    base = {"query.weight": "query.base_layer.weight"}
    _rename(folder, lambda n: "base_model.model." + n.replace(*next(iter(base.items()))))
    assert "the state of a model with PEFT's adapters; merge them" in _refused(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(
    checkpoint: Checkpoint, value: float
) -> None:
    folder, key = checkpoint("bert"), "bert.encoder.layer.1.output.dense.weight"
    state = load_file(folder / "model.safetensors")
    state[key][3, 5] = value
    save_file(state, folder / "model.safetensors")
    assert f"but got NaN or infinity in 1 ({key}); " in _refused(folder)


def test_weights_that_float16_cannot_hold_are_refused(checkpoint: Checkpoint) -> None:
    folder, key = checkpoint("bert"), "bert.encoder.layer.1.output.dense.weight"
    state = load_file(folder / "model.safetensors")
    state[key][3, 5] = 1e5
    save_file(state, folder / "model.safetensors")
    assert _load(folder).remarks == ()
    assert f"but got NaN or infinity in 1 ({key}); " in _refused(folder, "float16")


@pytest.mark.parametrize("kind", ["int8", "sparse"])
def test_weights_that_are_no_dense_floats_are_refused(checkpoint: Checkpoint, kind: str) -> None:
    folder, key = checkpoint("bert"), "bert.encoder.layer.1.output.dense.weight"

    def change(state: State) -> State:
        weight = state[key]
        return state | {key: weight.to(torch.int8) if kind == "int8" else weight.to_sparse()}

    _as_bin(folder, change)
    error = _refused(folder)
    assert f"but got '{key}' of torch.{kind}" in error


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_changed_byte_of_a_bin_is_found_by_its_sum(checkpoint: Checkpoint, place: float) -> None:
    path = _as_bin(folder := checkpoint("bert"))
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)
    assert "undamaged, but got" in _refused(folder)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_bin_that_was_cut_is_refused_in_one_line(
    checkpoint: Checkpoint, kept: float, old: bool
) -> None:
    folder = checkpoint("opt")
    state = load_file(folder / "model.safetensors")
    path = _as_bin(folder)
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "pytorch_model.bin must be" in _refused(folder)


@pytest.mark.parametrize(
    "index",
    ["", "[]", '{"weight_map": {}}', '{"weight_map": {"a": "../x.safetensors"}}',
     '{"weight_map": {"a": 7}}', '{"weight_map": {"a": "x.py"}}'],
)  # fmt: skip
def test_a_damaged_index_of_shards_is_refused(checkpoint: Checkpoint, index: str) -> None:
    folder = checkpoint("opt")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)
    assert "model.safetensors.index.json must name the file of each weight" in _refused(folder)


@pytest.mark.parametrize("family", PRETRAINED)
@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "intermediate_size", "ffn_dim"])
def test_sizes_far_beyond_the_weights_are_refused_before_a_model_is_built(
    checkpoint: Checkpoint, family: str, key: str
) -> None:
    folder = checkpoint(family)
    config = json.loads((folder / "config.json").read_text())
    if key in config:
        (folder / "config.json").write_text(json.dumps(config | {key: 2_000_000}))
        assert "must describe the model of the weights, but got" in _refused(folder)
