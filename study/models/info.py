"""What a backbone is, from its config and file names alone: no torch, no weights read."""

import difflib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.models.families import FAMILIES, Kin, recognise
from study.models.files import TOKENIZER_FILES, WEIGHT_FILES
from study.models.presets import PRESETS
from study.models.sizes import Sizes

EMBEDDED = {"opt-dna-mini": Path(__file__).parent / "opt_dna_mini"}
_EMBEDDED_PARAMETERS = {"opt-dna-mini": 1_309_760}  # with two labels


@dataclass(frozen=True)
class BackboneInfo:
    """A backbone of a known family, found but not yet loaded.

    `folder` holds config and tokenizer files; `source` is what the weights load from (the same
    folder, or the hub id). `max_positions` counts tokens, special tokens included; None is
    no limit, as ALiBi has. `embedding_size` is the width of the embeddings and of OPT's
    output, which differs from `hidden_size` in OPT-350M.
    """

    name: str
    source: str
    revision: str | None
    folder: Path
    family: str
    layers: int
    hidden_size: int
    embedding_size: int
    feed_forward_size: int
    vocab_size: int
    max_positions: int | None
    pad_id: int | None
    bos_id: int | None
    has_tokenizer_json: bool
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    """Names and contents of the files that it brings along; see `study.models.portable`."""
    fingerprint: str | None = None
    """Of the folder's files, by which a copy on another machine is known; likewise."""

    @property
    def commit(self) -> str | None:
        """The hub's commit that the files are of; None for a local folder."""
        snapshot = self.folder.parent.name == "snapshots" and self.source != str(self.folder)
        return self.folder.name if snapshot else None

    @property
    def kin(self) -> Kin:
        """The family whose special tokens, pooling and head it shares."""
        return FAMILIES[self.family].kin

    @property
    def sizes(self) -> Sizes:
        """What decides the number of parameters; that of the whole model is not known here."""
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
    """Whether the name means a model of the hub that is known here: a folder goes before it."""
    return name in PRESETS and not Path(name).is_dir()


def sizes_of(name: str, revision: str | None = None) -> Sizes:
    """Returns a preset's sizes from its entry, without a network; any other's by inspecting it.

    Raises InputError as `inspect_backbone` does.
    """
    if is_preset(name):
        return PRESETS[name].sizes
    sizes = inspect_backbone(name, revision, with_weights=False).sizes
    return replace(sizes, parameters=_EMBEDDED_PARAMETERS.get(name))


def inspect_backbone(
    name: str, revision: str | None = None, *, with_weights: bool = True
) -> BackboneInfo:
    """Finds a backbone: an embedded name, a folder, a preset, or a model id of the hub.

    A folder wins over a preset or hub id of the same name. From the hub the config and the
    tokenizer files are downloaded, or taken from its cache. A preset's own revision is taken
    where none is given.

    Raises InputError for a folder without config or, `with_weights`, without weights, an id that
    cannot be had, an unknown family, and a config without the sizes.
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
            f"hub id such as facebook/opt-125m, found {name!r}"
            + (f"; did you mean {near[0]}?" if near else "")
        )
    info = _describe(name, source, revision, folder)
    if name in PRESETS and source == PRESETS[name].hub_id and info.family != PRESETS[name].family:
        raise InputError(
            f"backbone {name}: {source} must be a {PRESETS[name].family} model, found "
            f"{info.family}; the hub's copy has changed, set backbone.revision to an older one"
        )
    return info


def _is_hub_id(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 2 and all(p and not p.startswith((".", "~")) for p in parts)


def _check_folder(name: str, folder: Path, with_weights: bool) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(
            f"backbone {name}: the folder must hold config.json, found "
            f"{_listing(folder)}; save the model with save_pretrained"
        )
    if with_weights and not any((folder / file).is_file() for file in WEIGHT_FILES):
        raise InputError(
            f"backbone {name}: the folder must hold weights (model.safetensors or "
            f"pytorch_model.bin), found {_listing(folder)}"
        )


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"


def _describe(name: str, source: str, revision: str | None, folder: Path) -> BackboneInfo:
    config = _read_config(name, folder / "config.json")
    family = _family(name, config)
    kin = FAMILIES[family].kin
    opt = kin == "opt"
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
        pad_id=_token_id(name, config, "pad_token_id", required=kin == "esm"),
        bos_id=_token_id(name, {"bos_token_id": 2} | config, "bos_token_id") if opt else None,
        has_tokenizer_json=(folder / "tokenizer.json").is_file(),
    )


def _read_config(name: str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(
            f"backbone {name}: config.json must be readable JSON, found {error}"
        ) from error
    if not isinstance(config, dict):
        raise InputError(
            f"backbone {name}: config.json must hold an object, found {type(config).__name__}"
        )
    return config


def _positions(name: str, config: dict[str, Any], family: str) -> int | None:
    if not FAMILIES[family].limited:
        return None
    positions = _size(name, config, "max_position_embeddings")
    if FAMILIES[family].kin == "esm":  # it counts positions from pad_id + 1
        positions -= (_token_id(name, config, "pad_token_id", required=True) or 0) + 1
    return positions


def _token_id(
    name: str, config: dict[str, Any], key: str, *, required: bool = False
) -> int | None:
    """The id of a special token; None for a config without it, unless it is `required`."""
    value, words = config.get(key), _size(name, config, "vocab_size")
    if (value is None and not required) or (isinstance(value, int) and 0 <= value < words):
        return value
    raise InputError(
        f"backbone {name}: {key} in config.json must be a token id below vocab_size {words}, "
        f"found {value!r}"
    )


def _family(name: str, config: dict[str, Any]) -> str:
    family = recognise(config)
    if family is not None:
        return family
    own_code = "; it needs code of its own, which is never run" if "auto_map" in config else ""
    raise InputError(
        f"backbone {name}: the family (model_type in config.json) must be one of "
        f"{', '.join(FAMILIES)}, found {config.get('model_type')}{own_code}"
    )


def _size(name: str, config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise InputError(
            f"backbone {name}: {key} in config.json must be a positive integer, found {value!r}"
        )
    return value
