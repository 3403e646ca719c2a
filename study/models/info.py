"""Family, sizes and special tokens of a backbone, from config.json and the file names only."""

import difflib
from dataclasses import dataclass, field, replace
from pathlib import Path

from study.errors import InputError
from study.models.config_file import MOST_LAYERS, ConfigFile
from study.models.families import FAMILIES, HEADS, BaseFamily
from study.models.files import TOKENIZER_FILES
from study.models.folders import check_folder
from study.models.presets import PRESETS
from study.models.sizes import Sizes

EMBEDDED = {
    "opt-dna-mini": Path(__file__).parent / "opt_dna_mini",
    "cnn": Path(__file__).parent / "architectures" / "cnn",  # Sizes and tokenizer, no weights.
}
_EMBEDDED_PARAMETERS = {"opt-dna-mini": 1_309_760}  # with two labels


@dataclass(frozen=True)
class BackboneInfo:
    """A backbone of a known family, located but not loaded."""

    name: str
    source: str
    """Where the weights are loaded from: the folder or the hub id."""
    revision: str | None
    folder: Path
    """The folder of config.json and the tokenizer files."""
    family: str
    layers: int
    hidden_size: int
    embedding_size: int
    """Width of the embeddings and of OPT's output; differs from `hidden_size` in OPT-350M."""
    feed_forward_size: int
    vocab_size: int
    max_positions: int | None
    """The most tokens of an input, special tokens included; None for no limit (ALiBi)."""
    pad_id: int | None
    bos_id: int | None
    has_tokenizer_json: bool
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    """Names and contents of files sent with it; see `study.models.portable`."""
    fingerprint: str | None = None
    """A hash of the folder's files, to recognise a copy elsewhere; see `study.models.portable`."""
    weights: str | None = None
    """A hash of settings and weights, once they have been read; see `study.models.check`."""
    query_size: int | None = None
    """Outputs of the query matrix; None for `hidden_size`."""
    key_size: int | None = None
    """Outputs of the key matrix and of the value matrix; None for `hidden_size`."""
    head_vectors: int = 1
    """Biases and norms of the hidden size in the head."""
    pooling: str | None = None
    """What the head reads by config.json; None for what the class of the family always reads."""

    @property
    def commit(self) -> str | None:
        """The commit of the files on the hub; None for a local folder."""
        snapshot = self.folder.parent.name == "snapshots" and self.source != str(self.folder)
        return self.folder.name if snapshot else None

    @property
    def base(self) -> BaseFamily:
        """The transformers family with the same special tokens, pooling and head."""
        return FAMILIES[self.family].base

    @property
    def causal(self) -> bool:
        """Whether a token reads only those before it; see `Family.causal`."""
        return FAMILIES[self.family].causal

    @property
    def sizes(self) -> Sizes:
        """The sizes; `parameters` is None, as the config does not give it."""
        return Sizes(
            family=self.family,
            layers=self.layers,
            hidden_size=self.hidden_size,
            feed_forward_size=self.feed_forward_size,
            embedding_size=self.embedding_size,
            vocab_size=self.vocab_size,
            max_positions=self.max_positions,
            query_size=self.query_size,
            key_size=self.key_size,
            head_vectors=self.head_vectors,
        )


def is_preset(name: str) -> bool:
    """Returns whether a name is that of a preset; a folder of that name takes precedence."""
    return name in PRESETS and not Path(name).is_dir()


def sizes_of(name: str, revision: str | None = None) -> Sizes:
    """Returns the sizes of a preset, from its entry, or of any other backbone, by inspecting it.

    Raises:
        InputError: as `inspect_backbone`.
    """
    if is_preset(name):
        return PRESETS[name].sizes
    sizes = inspect_backbone(name, revision, with_weights=False).sizes
    return replace(sizes, parameters=_EMBEDDED_PARAMETERS.get(name))


def inspect_backbone(
    name: str, revision: str | None = None, *, with_weights: bool = True
) -> BackboneInfo:
    """Returns the info of an embedded backbone, a folder, a preset or a model on the hub.

    A folder takes precedence over a preset or hub id of the same name. Config and tokenizer files
    of a hub model come from the cache, or are downloaded. Without `revision` a preset's own is
    used.

    Raises:
        InputError: the folder is not a model or, with `with_weights`, has no weights; the hub
            model is not available; the family is unknown; or the config lacks a size.
    """
    folder = EMBEDDED.get(name, Path(name).expanduser())
    if folder.is_dir():
        folder = folder.resolve()
        check_folder(name, folder, with_weights)
        source, revision = str(folder), None
    elif name in PRESETS or _is_hub_id(name):
        from study.models.files import fetch

        source = name
        if name in PRESETS:
            source, revision = PRESETS[name].hub_id, revision or PRESETS[name].revision
        folder = fetch(source, revision, TOKENIZER_FILES)
    else:
        near = difflib.get_close_matches(name, [*EMBEDDED, *PRESETS], n=1)
        raise InputError(
            f"backbone.name: must be {', '.join([*EMBEDDED, *PRESETS])}, an existing folder or a "
            f"hub id such as facebook/opt-125m, but got {name!r}"
            + (f"; did you mean {near[0]}?" if near else "; check the spelling")
        )
    info = _describe(name, source, revision, folder)
    if name in PRESETS and source == PRESETS[name].hub_id and info.family != PRESETS[name].family:
        raise InputError(
            f"backbone {name}: {source} must be a {PRESETS[name].family} model, but got "
            f"{info.family}; the model on the hub has changed, set backbone.revision to an older "
            "commit"
        )
    return info


def _is_hub_id(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 2 and all(p and not p.startswith((".", "~")) for p in parts)


def _describe(name: str, source: str, revision: str | None, folder: Path) -> BackboneInfo:
    config = ConfigFile.read(name, folder)
    family = config.family
    if family == "cnn" and name not in EMBEDDED:
        raise InputError(
            f"backbone {name}: must be a pretrained model, but got a cnn that a study has "
            "trained; write name: cnn for a new one"
        )
    base = FAMILIES[family].base
    opt = base == "opt"
    hidden = config.size("hidden_size")
    queries, keys = _grouped(config) if base == "llama" else (None, None)
    projected = opt and config.values.get("word_embed_proj_dim") is not None
    return BackboneInfo(
        name=name,
        source=source,
        revision=revision,
        folder=folder,
        family=family,
        layers=config.size("num_hidden_layers", MOST_LAYERS),
        hidden_size=hidden,
        embedding_size=config.size("word_embed_proj_dim") if projected else hidden,
        feed_forward_size=config.size("ffn_dim" if opt else "intermediate_size"),
        vocab_size=config.size("vocab_size"),
        max_positions=config.positions(),
        pad_id=config.padding_id(),
        bos_id=_bos_id(config, base),
        has_tokenizer_json=(folder / "tokenizer.json").is_file(),
        query_size=queries,
        key_size=keys,
        head_vectors=_head_vectors(config) if base == "modernbert" else 1,
        pooling=_pooling(config, base),
    )


def _bos_id(config: ConfigFile, base: BaseFamily) -> int | None:
    if base not in ("opt", "llama"):
        return None
    bos_id: int | None = config.token_id("bos_token_id", default=2 if base == "opt" else None)
    return bos_id


def _grouped(config: ConfigFile) -> tuple[int, int]:
    """Returns the sizes of queries and of keys, which several queries share."""
    heads = config.size("num_attention_heads")
    groups = config.optional_size("num_key_value_heads") or heads
    width = config.optional_size("head_dim") or config.size("hidden_size") // heads
    return heads * width, groups * width


def _pooling(config: ConfigFile, base: BaseFamily) -> str | None:
    """Returns the setting of a class that can read several; the class checks its value."""
    setting = HEADS[base].setting
    return None if setting is None else config.values.get(setting)


def _head_vectors(config: ConfigFile) -> int:
    """Returns the weights of the norm in ModernBERT's head, and the biases that there are."""
    return 1 + bool(config.values.get("norm_bias")) + bool(config.values.get("classifier_bias"))
