"""Entries of model families are complete; a new family is an entry and its layer names."""

from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from adapters import FAMILIES as ADAPTED
from adapters import MATRICES, targets
from study.analysis.layers import layer_and_matrix
from study.models import head_pattern, inspect_backbone, load_backbone, sizes_of
from study.models.families import FAMILIES, HEADS, PRETRAINED, Family, recognise
from study.spec import StudySpec
from study.training.methods import count_trained, prepare, release


def test_adapters_has_the_layer_names_of_every_family() -> None:
    assert set(PRETRAINED) == set(ADAPTED)


@pytest.mark.parametrize("name", PRETRAINED)
def test_an_entry_is_complete(name: str, checkpoint: Any) -> None:
    family = FAMILIES[name]
    module, kind = family.classifier.split(":")
    model_type = getattr(import_module(module), kind).config_class.model_type
    assert recognise({"model_type": model_type}) == name
    if family.mark is not None:
        assert recognise({"model_type": family.base, family.mark: 1}) == name
    assert family.base in HEADS
    assert head_pattern(name) == HEADS[family.base].pattern
    assert set(MATRICES) <= set(family.matrices) == set(targets.layer_names(name))
    for matrix in family.matrices:
        module = f"backbone.layers.11.{targets.layer_names(name)[matrix]}"
        assert layer_and_matrix(module) == ((11, "11"), matrix)
    assert inspect_backbone(str(checkpoint(name))).family == name


def _megatron_checkpoint(folder: Path) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *map("".join, product("ACGT", repeat=3))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = transformers.MegatronBertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=64,
    )  # fmt: skip
    transformers.MegatronBertForMaskedLM(config).save_pretrained(folder)


def test_a_new_family_of_a_known_kind_is_one_entry_and_its_layer_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, layers = "megatron-bert", targets._FAMILIES["bert"]
    entry = Family("transformers:MegatronBertForSequenceClassification", "bert")
    monkeypatch.setitem(FAMILIES, name, entry)
    monkeypatch.setitem(targets._FAMILIES, name, layers)
    _megatron_checkpoint(tmp_path)
    info = inspect_backbone(str(tmp_path))
    assert info.family == name
    backbone = load_backbone(info, num_labels=2, dtype="float32")
    ids = torch.tensor(backbone.tokenizer(["ACGTACGTTTGA"]))
    assert backbone.model(input_ids=ids).logits.shape == (1, 2)
    spec = StudySpec.model_validate({"adapter": {"method": "adalora_rs", "b0": 3, "bT": 2}})
    counted, sizes = count_trained(spec, backbone), sizes_of(str(tmp_path))
    assert counted.adapter == sizes.adapter_parameters(MATRICES, 3, svd=True)
    assert counted.head == sizes.head_parameters(2)
    prepared = prepare(spec, backbone, torch.device("cpu"))
    assert {layer_and_matrix(module)[1] for module in prepared.adapters} == set(MATRICES)
    release(prepared)
