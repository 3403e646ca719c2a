"""The `backbone` section: a pretrained model, or the network that is named `cnn`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from study.spec.domains import Searchable, is_searchable
from study.spec.leaves import Decay, Pooling, Seed, Text
from study.spec.rules import Section

PRESET_BACKBONE = "opt-dna-mini"
CNN: Literal["cnn"] = "cnn"


class _AnyBackbone(Section):
    kind: ClassVar[str]
    """The tag of the class in the locations of pydantic's errors."""

    @property
    def changed(self) -> dict[str, Any]:
        """The leaves that may be searched and are not as by default, by name."""
        fields = type(self).model_fields
        return {
            name: leaf
            for name, leaf in self
            if is_searchable(fields[name]) and leaf != fields[name].default
        }

    @property
    def searchable(self) -> set[str]:
        """The names of the leaves that may be searched."""
        return {name for name, field in type(self).model_fields.items() if is_searchable(field)}


class BackboneSpec(_AnyBackbone):
    """The pretrained model that is adapted."""

    kind: ClassVar = "pretrained"
    name: Text = PRESET_BACKBONE
    """`opt-dna-mini` (shipped), a preset, a hub id, or a folder (made absolute when read)."""
    revision: Text | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    weights: Literal["pretrained", "random"] = "pretrained"
    """`random`: a baseline with the same architecture and tokenizer, and random weights."""
    weights_seed: Seed = 0
    """Seed of random weights."""
    pooling: Pooling = "auto"
    """What the head reads of the last layer: the first token (`cls`), the mean over the tokens, or
    the last token. `auto`: what the model's class in transformers reads."""

    @property
    def random_seed(self) -> int | None:
        """The seed of random weights; None for pretrained weights."""
        return self.weights_seed if self.weights == "random" else None


class CnnSpec(_AnyBackbone):
    """A convolutional network on one-hot bases without pre-training; see study/models."""

    kind: ClassVar = CNN
    revision: ClassVar[str | None] = None
    dtype: ClassVar[Literal["float32"]] = "float32"
    weights: ClassVar[Literal["random"]] = "random"
    random_seed: ClassVar[int] = 0
    """No weights are read; those of a trial are drawn from its seed `init`."""

    name: Literal["cnn"] = CNN
    width: Annotated[int, Field(ge=1, le=4096), Searchable()] = 64
    """Channels of every layer."""
    depth: Annotated[int, Field(ge=1, le=64), Searchable()] = 2
    """Convolutions."""
    kernel_size: Annotated[int, Field(ge=1, le=1001), Searchable()] = 11
    """Bases that a filter of the first layer reads."""
    inner_kernel_size: Annotated[int, Field(ge=1, le=1001), Searchable()] = 5
    """Positions that a filter of the other layers reads."""
    head_dropout: Decay = 0.2
    """Dropout of the channels that the head reads."""
    pooling: Annotated[Literal["max", "mean"], Searchable()] = "max"
    """What the head reads of each channel: the largest value, or the mean over the bases."""


def _kind(given: Any) -> str:
    name = given.get("name") if isinstance(given, dict) else getattr(given, "name", None)
    return CNN if name == CNN else BackboneSpec.kind


Backbone = Annotated[
    Annotated[CnnSpec, Tag(CnnSpec.kind)] | Annotated[BackboneSpec, Tag(BackboneSpec.kind)],
    Discriminator(_kind),
]
BACKBONE_SPECS = (BackboneSpec, CnnSpec)
