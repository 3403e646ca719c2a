"""Presets: the paper's backbones and their sister models, with hub id, sizes and licence.

Class, pooling, head and target modules follow from the family (families.py, `adapters.targets`);
`study.models.describe` returns them for a name. The weights are not redistributed: their licence
applies to the user who downloads them.
"""

from dataclasses import dataclass

from study.models.sizes import Sizes

_OPT = "OPT licence: research only, not commercial"
_NT = "CC-BY-NC-SA-4.0: not commercial"
_APACHE = "Apache-2.0"
_MIT = "MIT"
_SIX = "non-overlapping 6-mers"


@dataclass(frozen=True)
class Preset:
    """A model of the Hugging Face hub."""

    hub_id: str
    licence: str
    sizes: Sizes
    tokenizer: str
    """How sequences become tokens, e.g. `overlapping 6-mers`."""
    revision: str | None = None
    """The commit to load; None for the newest. `backbone.revision` overrides it.

    No entry has one yet: pin a commit only after loading and testing it.
    """

    @property
    def family(self) -> str:
        """The family of its checkpoint."""
        return self.sizes.family


def _opt(size: str, layers: int, width: int, embedding: int, parameters: int) -> Preset:
    sizes = Sizes("opt", layers, width, 4 * width, embedding, 50272, 2048, parameters)
    return Preset(f"facebook/opt-{size}", _OPT, sizes, "byte-level BPE")


def _dnabert(k: int, parameters: int) -> Preset:
    sizes = Sizes("bert", 12, 768, 3072, 768, 4**k + 5, 512, parameters)
    return Preset(f"zhihan1996/DNA_bert_{k}", _APACHE, sizes, f"overlapping {k}-mers")


def _nt(name: str, layers: int, width: int, parameters: int) -> Preset:
    sizes = Sizes("esm", layers, width, 4 * width, width, 4105, 1000, parameters)
    return Preset(f"InstaDeepAI/nucleotide-transformer-{name}", _NT, sizes, _SIX)


def _nt_v2(size: str, layers: int, width: int, parameters: int) -> Preset:
    sizes = Sizes("gated_esm", layers, width, 4 * width, width, 4107, 2048, parameters)
    return Preset(f"InstaDeepAI/nucleotide-transformer-v2-{size}-multi-species", _NT, sizes, _SIX)


def _generator(size: str, layers: int, width: int, inner: int, parameters: int) -> Preset:
    sizes = Sizes(
        "llama", layers, width, inner, width, 4128, 16384, parameters,
        query_size=width, key_size=width // 8,
    )  # fmt: skip
    return Preset(f"GenerTeam/GENERator-eukaryote-{size}-base", _MIT, sizes, _SIX)


PRESETS = {
    "opt-125m": _opt("125m", 12, 768, 768, 125_240_832),
    "opt-350m": _opt("350m", 24, 1024, 512, 331_197_440),
    "dnabert-3": _dnabert(3, 86_095_874),
    "dnabert-4": _dnabert(4, 86_243_330),
    "dnabert-5": _dnabert(5, 86_833_154),
    "dnabert-6": _dnabert(6, 89_192_450),
    "dnabert-2": Preset(
        "zhihan1996/DNABERT-2-117M",
        _APACHE,
        Sizes("mosaicbert", 12, 768, 3072, 768, 4096, None, 117_070_082),
        "BPE",
    ),
    "nt-500m-human-ref": _nt("500m-human-ref", 24, 1280, 480_440_803),
    "nt-500m-1000g": _nt("500m-1000g", 24, 1280, 480_440_803),
    "nt-2.5b-1000g": _nt("2.5b-1000g", 32, 2560, 2_537_288_323),
    "nt-2.5b-multi-species": _nt("2.5b-multi-species", 32, 2560, 2_537_288_323),
    "nt-v2-50m-multi-species": _nt_v2("50m", 12, 512, 52_748_483),
    "nt-v2-100m-multi-species": _nt_v2("100m", 22, 512, 94_732_643),
    "nt-v2-250m-multi-species": _nt_v2("250m", 24, 768, 230_388_099),
    "nt-v2-500m-multi-species": _nt_v2("500m", 29, 1024, 492_036_563),
    "generator-1.2b-eukaryote": _generator("1.2b", 26, 2048, 5632, 1_153_611_776),
    "generator-3b-eukaryote": _generator("3b", 30, 3072, 8448, 2_985_587_712),
}
