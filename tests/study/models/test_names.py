"""Names of weights: prefixes of wrappers are removed, that of the class is added."""

import pytest

from study.models.families import EMBEDDINGS, FAMILIES, PRETRAINED
from study.models.names import class_names

LAYER = {
    "opt": "model.decoder.layers.0.fc1.weight",
    "bert": "bert.encoder.layer.0.output.dense.weight",
    "esm": "esm.encoder.layer.0.output.dense.weight",
    "llama": "model.layers.0.mlp.up_proj.weight",
    "modernbert": "model.layers.0.mlp.Wo.weight",
}
OUTPUT = {"opt": "lm_head.weight", "bert": "cls.predictions.bias", "esm": "lm_head.bias"}
OUTPUT |= {"llama": "lm_head.weight", "modernbert": "decoder.bias"}
PREFIXES = ["", "_orig_mod.", "module.", "model.", "module._orig_mod.", "backbone.net."]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("family", PRETRAINED)
def test_what_precedes_the_names_of_the_class_is_removed(family: str, prefix: str) -> None:
    base = FAMILIES[family].base
    names = [EMBEDDINGS[base], LAYER[base], OUTPUT[base]]
    found, removed = class_names(family, [prefix + name for name in names])
    assert removed == prefix
    assert [found[prefix + name] for name in names] == names


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("family", PRETRAINED)
def test_the_prefix_of_the_class_is_added_to_a_model_without_a_head(
    family: str, prefix: str
) -> None:
    base = FAMILIES[family].base
    names = [EMBEDDINGS[base], LAYER[base]]
    bare = [prefix + name.partition(".")[2] for name in names]
    found, removed = class_names(family, [*bare, prefix + OUTPUT[base]])
    if EMBEDDINGS[base].startswith("model.") and prefix == "model.":
        # Together they are the names of the class.
        prefix, removed = "", removed + "-"
    assert [found[name] for name in bare] == names
    assert removed.rstrip("-") == prefix


def test_weights_outside_the_wrapped_model_keep_their_names() -> None:
    names = ["net.bert.embeddings.word_embeddings.weight", "projection.weight"]
    found, _ = class_names("bert", names)
    assert found == {names[0]: EMBEDDINGS["bert"], "projection.weight": "projection.weight"}


@pytest.mark.parametrize(
    "names",
    [
        ["encoder.weight", "decoder.weight"],
        ["a.bert.embeddings.word_embeddings.weight", "b.bert.embeddings.word_embeddings.weight"],
        ["m.bert.embeddings.word_embeddings.weight", "m.bert.a", "bert.a"],
    ],
)
def test_unclear_names_are_unchanged(names: list[str]) -> None:
    assert class_names("bert", names) == ({name: name for name in names}, "")
