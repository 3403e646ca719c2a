"""Descriptions of presets against the modules of their models; descriptions of folders."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from adapters import MATRICES
from study.models import describe, inspect_backbone
from study.models.presets import PRESETS
from study.models.tokenization import load_tokenizer
from tests.study.models.preset_models import model_of

# One preset of each family, and OPT-350M with its projections.
CHOSEN = ["opt-125m", "opt-350m", "dnabert-3", "dnabert-2", "nt-500m-1000g"]
CHOSEN += ["nt-v2-50m-multi-species"]


@pytest.mark.parametrize("name", CHOSEN)
def test_the_patterns_match_the_layers_and_nothing_else(name: str) -> None:
    description = describe(name)
    model = model_of(description.sizes, num_labels=2)
    assert type(model).__name__ == description.classifier.split(":")[1]
    linear = {n for n, module in model.named_modules() if isinstance(module, nn.Linear)}
    adapted = set()
    for matrix in MATRICES:
        found = {n for n in linear if re.fullmatch(description.targets[matrix], n)}
        assert len(found) == description.sizes.layers
        assert all(n.endswith(f".{description.layer_names[matrix]}") for n in found)
        assert not found & adapted
        adapted |= found
    head = {n for n, _ in model.named_parameters() if re.fullmatch(description.head, n)}
    of_head = {n.rpartition(".")[0] for n in head}
    rest = {"opt-350m": {"model.decoder.project_in", "model.decoder.project_out"}}
    contacts = {"esm.contact_head.regression"} if name.startswith("nt-") else set()
    assert linear - adapted - of_head == rest.get(name, contacts)


def test_a_preset_is_described_without_a_network() -> None:
    description = describe("dnabert-6", "abc")
    assert (description.source, description.revision) == ("zhihan1996/DNA_bert_6", "abc")
    assert (description.tokenizer, description.pooling) == ("overlapping 6-mers", "cls")
    assert description.licence == "Apache-2.0"
    assert {describe(name).licence for name in PRESETS if "nt-" in name} == {
        "CC-BY-NC-SA-4.0: not commercial"
    }


def test_a_folder_is_described_by_its_files(checkpoint: Callable[..., Path]) -> None:
    folder = checkpoint("esm")
    description = describe(str(folder))
    assert (description.source, description.revision, description.licence) == (
        str(folder),
        None,
        None,
    )
    assert description.tokenizer == "non-overlapping 3-mers"
    assert description.pooling == "cls"


@pytest.mark.parametrize(
    ("family", "scheme"),
    [("opt", "BPE"), ("bert", "overlapping 3-mers"), ("mosaicbert", "BPE"),
     ("gated_esm", "non-overlapping 3-mers")],
)  # fmt: skip
def test_the_files_determine_the_scheme_of_the_tokens(
    checkpoint: Callable[..., Path], family: str, scheme: str
) -> None:
    assert load_tokenizer(inspect_backbone(str(checkpoint(family)))).scheme == scheme
