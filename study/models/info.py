"""Family, sizes and special tokens of a backbone, from config.json and the file names only."""

import difflib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.models.families import FAMILIES, BaseFamily, recognise
from study.models.files import TOKENIZER_FILES, WEIGHT_FILES
from study.models.presets import PRESETS
from study.models.sizes import Sizes

EMBEDDED = {"opt-dna-mini": Path(__file__).parent / "opt_dna_mini"}
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
        InputError: the folder has no config or, with `with_weights`, no weights; the hub model
            is not available; the family is unknown; or the config lacks a size.
    """
    folder = EMBEDDED.get(name, Path(name).expanduser())
    if folder.is_dir():
        folder = folder.resolve()
        _check_folder(name, folder, with_weights)
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


def _check_folder(name: str, folder: Path, with_weights: bool) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(
            f"backbone {name}: the folder must contain config.json, but got "
            f"{_listing(folder)}; save the model with save_pretrained"
        )
    if with_weights and not any((folder / file).is_file() for file in WEIGHT_FILES):
        raise InputError(
            f"backbone {name}: the folder must contain weights (model.safetensors or "
            f"pytorch_model.bin), but got {_listing(folder)}; save the model with save_pretrained"
        )


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"


def _describe(name: str, source: str, revision: str | None, folder: Path) -> BackboneInfo:
    config = _read_config(name, folder / "config.json")
    family = _family(name, config)
    base = FAMILIES[family].base
    opt = base == "opt"
    hidden = _size(name, config, "hidden_size")
    positions = _positions(name, config, family)
    return BackboneInfo(
        name=name,
        source=source,
        revision=revision,
        folder=folder,
        family=family,
        layers=_size(name, config, "num_hidden_layers"),
        hidden_size=hidden,
        embedding_size=config.get("word_embed_proj_dim", hidden) if opt else hidden,
        feed_forward_size=_size(name, config, "ffn_dim" if opt else "intermediate_size"),
        vocab_size=_size(name, config, "vocab_size"),
        max_positions=positions,
        pad_id=_token_id(name, config, "pad_token_id", required=base == "esm"),
        bos_id=_token_id(name, {"bos_token_id": 2} | config, "bos_token_id") if opt else None,
        has_tokenizer_json=(folder / "tokenizer.json").is_file(),
    )


def _read_config(name: str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(
            f"backbone {name}: config.json must be readable JSON, but got {error}; restore the "
            "file"
        ) from error
    if not isinstance(config, dict):
        raise InputError(
            f"backbone {name}: config.json must be a JSON object, but got "
            f"{type(config).__name__}; restore the file"
        )
    return config


def _positions(name: str, config: dict[str, Any], family: str) -> int | None:
    if not FAMILIES[family].limited:
        return None
    positions = _size(name, config, "max_position_embeddings")
    if FAMILIES[family].base == "esm":  # it counts positions from pad_id + 1
        positions -= (_token_id(name, config, "pad_token_id", required=True) or 0) + 1
    return positions


def _token_id(
    name: str, config: dict[str, Any], key: str, *, required: bool = False
) -> int | None:
    """Returns the id of a special token; None if absent and not `required`."""
    value, vocab_size = config.get(key), _size(name, config, "vocab_size")
    if (value is None and not required) or (isinstance(value, int) and 0 <= value < vocab_size):
        return value
    raise InputError(
        f"backbone {name}: {key} in config.json must be a token id below vocab_size {vocab_size}, "
        f"but got {value!r}; restore the file"
    )


def _family(name: str, config: dict[str, Any]) -> str:
    family = recognise(config)
    if family is not None:
        return family
    code = " with its own code, which is never run" if "auto_map" in config else ""
    raise InputError(
        f"backbone {name}: the family (model_type in config.json) must be one of "
        f"{', '.join(FAMILIES)}, but got {config.get('model_type')}{code}; choose a model of one "
        "of these families"
    )


def _size(name: str, config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise InputError(
            f"backbone {name}: {key} in config.json must be a positive integer, but got "
            f"{value!r}; restore the file"
        )
    return value
