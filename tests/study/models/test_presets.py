"""The presets against the published sizes of their models, on the meta device."""

import pytest

from study.errors import InputError
from study.models.info import inspect_backbone
from study.models.presets import PRESETS
from tests.study.models.preset_models import model_of

PUBLISHED = {
    "opt-125m": 125_240_832,
    "opt-350m": 331_197_440,
    "dnabert-3": 86_095_874,
    "dnabert-4": 86_243_330,
    "dnabert-5": 86_833_154,
    "dnabert-6": 89_192_450,
    "dnabert-2": 117_070_082,
    "nt-500m-human-ref": 480_440_803,
    "nt-500m-1000g": 480_440_803,
    "nt-2.5b-1000g": 2_537_288_323,
    "nt-2.5b-multi-species": 2_537_288_323,
    "nt-v2-50m-multi-species": 52_748_483,
    "nt-v2-100m-multi-species": 94_732_643,
    "nt-v2-250m-multi-species": 230_388_099,
    "nt-v2-500m-multi-species": 492_036_563,
    "generator-1.2b-eukaryote": 1_162_061_824 - 4128 * 2048 + 2 * 2048,
    "generator-3b-eukaryote": 2_998_262_784 - 4128 * 3072 + 2 * 3072,
}
# GENERator: the weights of its files, without the output layer and with a head of two labels.


def test_every_preset_is_listed_here() -> None:
    assert set(PUBLISHED) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_published_number_of_parameters(name: str) -> None:
    sizes = PRESETS[name].sizes
    model = model_of(sizes, num_labels=2)
    assert sum(p.numel() for p in model.parameters()) == sizes.parameters == PUBLISHED[name]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("opt-125", "opt-125m"), ("dnabert2", "dnabert-2"), ("opt_350m", "opt-350m")],
)
def test_an_unknown_preset_is_refused_with_the_nearest_name(typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"did you mean {meant}"):
        inspect_backbone(typed)
