"""Description of a `backbone.name`: source, class, tokenizer, head, target modules, licence."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapters import targets
from study.models.families import FAMILIES, HEADS, POOLED
from study.models.info import inspect_backbone, is_preset, sizes_of
from study.models.presets import PRESETS
from study.models.sizes import Sizes
from study.models.tokenization import load_tokenizer


@dataclass(frozen=True)
class Description:
    """What a backbone's name and revision determine."""

    source: str
    """The hub id, or the folder."""
    revision: str | None
    """The commit or branch on the hub; None for the newest, or for a folder."""
    classifier: str
    """`module:class` of the sequence classifier."""
    tokenizer: str
    pooling: str
    """What the class's head reads: `cls`, `last`, …; `POOLED` has it in words."""
    head: str
    """A regular expression for the names of the head's parameters."""
    targets: Mapping[str, str]
    """For each of q, k, v, o, f1, f2 a regular expression for the names of its modules; empty for
    a family without adapters."""
    layer_names: Mapping[str, str]
    """For each of q, k, v, o, f1, f2 the name of its module within a layer."""
    licence: str | None
    """None if unknown."""
    sizes: Sizes


def describe(name: str, revision: str | None = None) -> Description:
    """Returns the description of a backbone, given `backbone.name` and `backbone.revision`.

    A preset is described from its entry, without a network.

    Raises:
        InputError: as `inspect_backbone` and `load_tokenizer`, for a name that is no preset.
    """
    if is_preset(name):
        preset = PRESETS[name]
        revision = revision or preset.revision
        source, tokenizer, licence = preset.hub_id, preset.tokenizer, preset.licence
        pooling = None
    else:
        info = inspect_backbone(name, revision, with_weights=False)
        source, revision, licence = info.source, info.revision, None
        pooling = info.pooling
        tokenizer = load_tokenizer(info).scheme
    sizes = sizes_of(name, revision)
    family = FAMILIES[sizes.family]
    return Description(
        source=source,
        revision=revision,
        classifier=family.classifier,
        tokenizer=tokenizer,
        pooling=pooling if pooling in POOLED else HEADS[family.base].pooling,
        head=HEADS[family.base].pattern,
        targets=_targets(sizes.family),
        layer_names=targets.layer_names(sizes.family) if _targets(sizes.family) else {},
        licence=licence,
        sizes=sizes,
    )


def _targets(family: str) -> Mapping[str, str]:
    """Returns a pattern for each matrix; none of a family that has no adapters."""
    if family not in targets.FAMILIES:
        return {}
    return dict(zip(targets.MATRICES, targets.target_patterns(family), strict=True))
