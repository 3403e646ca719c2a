"""Parameter counts by arithmetic against those counted in the models, on the meta device."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters import MATRICES, ParameterCount
from study.errors import InputError
from study.models import Backbone, Sizes, empty_backbone, inspect_backbone, sizes_of
from study.models.families import FAMILIES, PRETRAINED
from study.spec import StudySpec
from study.training.methods import count_trained
from tests.study.models.preset_models import model_of

PAPER_EMP = ("q", "k", "v", "f1", "f2")
PUBLISHED = {  # 6 matrices, r = 8, lam not counted
    "opt-125m": 1_327_104,
    "opt-350m": 3_538_944,
    "nt-500m-human-ref": 4_423_680,
    "nt-2.5b-multi-species": 11_796_480,
    "dnabert-2": 1_622_016,
}


# One preset of each family, and OPT-350M with its projections.
CHOSEN = ["opt-125m", "opt-350m", "dnabert-3", "dnabert-2", "nt-500m-1000g"]
CHOSEN += ["nt-v2-50m-multi-species", "generator-1.2b-eukaryote"]


class _Info:
    """The fields of a backbone's info that counting uses."""

    def __init__(self, sizes: Sizes) -> None:
        self.family, self.layers = sizes.family, sizes.layers


def _backbone(sizes: Sizes, num_labels: int) -> Any:
    return Backbone(_Info(sizes), model_of(sizes, num_labels), tokenizer=None)  # type: ignore


def _counted(adapter: dict[str, Any], backbone: Backbone) -> ParameterCount:
    return count_trained(StudySpec.model_validate({"adapter": adapter}), backbone)


@pytest.mark.parametrize("name", CHOSEN)
def test_the_counts_of_a_preset_are_those_of_its_model(name: str) -> None:
    sizes = sizes_of(name)
    backbone = _backbone(sizes, 2)
    for method, matrices in (("adalora_rs", MATRICES), ("adalora", PAPER_EMP)):
        counts = _counted({"method": method, "b0": 6, "bT": 4, "matrices": matrices}, backbone)
        assert counts.adapter == sizes.adapter_parameters(matrices, 6, svd=True)
        assert counts.vectors == sizes.adapter_parameters(matrices, 6, svd=False)
    lora = _counted({"method": "lora", "rank": 8}, backbone)
    assert lora.adapter == sizes.adapter_parameters(MATRICES, 8, svd=False)
    probe, full = (_counted({"method": m}, backbone) for m in ("linear_probe", "fmft"))
    assert probe.total == probe.head == full.head == sizes.head_parameters(2)
    assert full.total == full.backbone == probe.backbone == sizes.parameters
    assert full.other == sizes.backbone_parameters


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_a_presets_adapters_have_the_published_size(name: str, parameters: int) -> None:
    assert sizes_of(name).adapter_parameters(MATRICES, 8, svd=False) == parameters


@pytest.mark.parametrize("family", PRETRAINED)
def test_the_counts_of_a_folder_are_those_of_its_model(
    checkpoint: Callable[..., Path], family: str
) -> None:
    folder = str(checkpoint(family))
    sizes, backbone = sizes_of(folder), empty_backbone(inspect_backbone(folder), num_labels=3)
    matrices = ["k", "f1", *(("gate",) if FAMILIES[family].gate else ())]
    counts = _counted({"method": "adalora", "b0": 5, "bT": 2, "matrices": matrices}, backbone)
    assert counts.adapter == sizes.adapter_parameters(matrices, 5, svd=True)
    assert counts.head == sizes.head_parameters(3)


def test_the_embedded_backbone_has_the_parameters_of_its_entry() -> None:
    sizes = sizes_of("opt-dna-mini")
    backbone = empty_backbone(inspect_backbone("opt-dna-mini"), num_labels=2)
    assert _counted({"method": "fmft"}, backbone).total == sizes.parameters


def test_an_unknown_name_has_no_sizes() -> None:
    with pytest.raises(InputError, match="did you mean opt-125m"):
        sizes_of("opt-125")


def test_sizes_of_presets_need_neither_torch_nor_a_network() -> None:
    code = (
        "import sys; from study.models import sizes_of; from study.models.presets import PRESETS; "
        "[sizes_of(name).head_parameters(2) for name in PRESETS]; "
        "sys.exit(bool({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
