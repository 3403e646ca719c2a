"""What the name of a backbone means: its class, tokenizer, head, layers and licence, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.targets import MATRICES, layer_names, target_patterns
from study.models.families import FAMILIES, HEADS
from study.models.info import inspect_backbone, is_preset, sizes_of
from study.models.presets import PRESETS
from study.models.sizes import Sizes
from study.models.tokenization import load_tokenizer


@dataclass(frozen=True)
class Description:
    """Everything that is decided by a backbone's name."""

    source: str
    """The hub id, or the folder."""
    revision: str | None
    """The commit or branch of the hub; None is the newest, or a folder."""
    classifier: str
    """`module:class` of the sequence classifier."""
    tokenizer: str
    pooling: str
    """The token that the head reads."""
    head: str
    """A pattern of the names of the head's parameters."""
    targets: Mapping[str, str]
    """A pattern of the names of each matrix's modules: q, k, v, o, f1, f2."""
    layer_names: Mapping[str, str]
    """The same within a layer, as plain names."""
    licence: str | None
    """None where it is not known here."""
    sizes: Sizes


def describe(name: str, revision: str | None = None) -> Description:
    """Returns what `backbone.name` and `backbone.revision` stand for.

    Of a preset nothing is read, so that no network is needed. Raises InputError for any other as
    `inspect_backbone` and `load_tokenizer` do.
    """
    if is_preset(name):
        preset = PRESETS[name]
        revision = revision or preset.revision
        source, tokenizer, licence = preset.hub_id, preset.tokenizer, preset.licence
    else:
        info = inspect_backbone(name, revision, with_weights=False)
        source, revision, licence = info.source, info.revision, None
        tokenizer = load_tokenizer(info).scheme
    sizes = sizes_of(name, revision)
    family = FAMILIES[sizes.family]
    return Description(
        source=source,
        revision=revision,
        classifier=family.classifier,
        tokenizer=tokenizer,
        pooling=HEADS[family.kin].pooling,
        head=HEADS[family.kin].pattern,
        targets=dict(zip(MATRICES, target_patterns(sizes.family), strict=True)),
        layer_names=layer_names(sizes.family),
        licence=licence,
        sizes=sizes,
    )
