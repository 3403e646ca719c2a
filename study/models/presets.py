"""The paper's backbones by name, and the other models of their kind: hub id, family, licence.

Everything else follows from the family (`families.py`, `heads.py`, `adapters.targets`) and from
the files of the model: class, pooling, head, tokenizer, which weights W_q, W_k, W_v, W_o, W_f1 and
W_f2 are. Weights are never redistributed; a licence binds whoever downloads them.
"""

from dataclasses import dataclass

_OPT = "OPT licence: research only, not commercial"
_NT = "CC-BY-NC-SA-4.0: not commercial"
_APACHE = "Apache-2.0"


@dataclass(frozen=True)
class Preset:
    """A model of the Hugging Face hub; `parameters` is its size with two labels."""

    hub_id: str
    family: str
    parameters: int
    licence: str


def _nucleotide_transformer(name: str, family: str, parameters: int) -> Preset:
    return Preset(f"InstaDeepAI/nucleotide-transformer-{name}", family, parameters, _NT)


PRESETS = {
    "opt-125m": Preset("facebook/opt-125m", "opt", 125_240_832, _OPT),
    "opt-350m": Preset("facebook/opt-350m", "opt", 331_197_440, _OPT),
    "dnabert-3": Preset("zhihan1996/DNA_bert_3", "bert", 86_095_874, _APACHE),
    "dnabert-4": Preset("zhihan1996/DNA_bert_4", "bert", 86_243_330, _APACHE),
    "dnabert-5": Preset("zhihan1996/DNA_bert_5", "bert", 86_833_154, _APACHE),
    "dnabert-6": Preset("zhihan1996/DNA_bert_6", "bert", 89_192_450, _APACHE),
    "dnabert-2": Preset("zhihan1996/DNABERT-2-117M", "mosaicbert", 117_070_082, _APACHE),
    "nt-500m-human-ref": _nucleotide_transformer("500m-human-ref", "esm", 480_440_803),
    "nt-500m-1000g": _nucleotide_transformer("500m-1000g", "esm", 480_440_803),
    "nt-2.5b-1000g": _nucleotide_transformer("2.5b-1000g", "esm", 2_537_288_323),
    "nt-2.5b-multi-species": _nucleotide_transformer("2.5b-multi-species", "esm", 2_537_288_323),
    "nt-v2-50m-multi-species": _nucleotide_transformer(
        "v2-50m-multi-species", "gated_esm", 52_748_483
    ),
    "nt-v2-100m-multi-species": _nucleotide_transformer(
        "v2-100m-multi-species", "gated_esm", 94_732_643
    ),
    "nt-v2-250m-multi-species": _nucleotide_transformer(
        "v2-250m-multi-species", "gated_esm", 230_388_099
    ),
    "nt-v2-500m-multi-species": _nucleotide_transformer(
        "v2-500m-multi-species", "gated_esm", 492_036_563
    ),
}
