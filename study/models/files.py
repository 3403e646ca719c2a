"""Files of a model: in its folder, or of the Hugging Face hub, from the cache or downloaded."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from study.errors import InputError
from study.hub import Repository
from study.models.damage import refusing

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "dna_config.json",
)


def model_repository(name: str, revision: str | None) -> Repository:
    """Returns the hub repository of a model, whose errors refer to `backbone.name`."""
    return Repository(name, "model", revision, "backbone.name", "give a local folder of the model")


def fetch(name: str, revision: str | None, files: Sequence[str]) -> Path:
    """Returns the local folder with config.json and those of `files` that the model has.

    If config.json is in the cache, no request is sent. It is therefore downloaded last: an
    interrupted download is continued by the next call.

    Raises:
        InputError: the hub or the network refuses.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    cached = _cached(name, "config.json", revision)
    if cached is not None:
        return cached.parent
    hub = model_repository(name, revision)
    hub.check_connection()

    def download() -> Path:
        for file in files:
            with suppress(RemoteEntryNotFoundError):
                hf_hub_download(name, file, revision=revision)
        return Path(hf_hub_download(name, "config.json", revision=revision)).parent

    return hub.call(download)


def weight_files(name: str, source: str, revision: str | None, folder: Path) -> list[Path]:
    """Returns all weight files of a folder or of a hub model, every shard of them.

    The arguments are those of a `BackboneInfo`. Files of a hub model that are not in the cache
    are downloaded.

    Raises:
        InputError: there are none, or the index of the shards is damaged or names a missing file.
        UnavailableError: the hub or the network refuses.
    """
    if source == str(folder):
        return _complete(name, lambda file: _existing(folder / file))
    with suppress(InputError):  # All in the cache: no request is sent.
        return _complete(name, lambda file: _cached(source, file, revision))
    hub = model_repository(source, revision)

    def download(file: str) -> Path | None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import RemoteEntryNotFoundError

        with suppress(RemoteEntryNotFoundError):
            return _cached(source, file, revision) or Path(
                hf_hub_download(source, file, revision=revision)
            )
        return None

    return _complete(name, lambda file: hub.call(lambda: download(file)))


def has_weights(name: str, revision: str | None) -> bool:
    """Returns whether the cache has all weights of a model, every shard of them."""
    try:
        return bool(_complete(name, lambda file: _cached(name, file, revision)))
    except InputError:
        return False


def _complete(name: str, find: Callable[[str], Path | None]) -> list[Path]:
    """Returns the weight files that `find` finds by their names."""
    path = next((path for file in WEIGHT_FILES if (path := find(file)) is not None), None)
    if path is None:
        raise InputError(
            f"backbone {name}: there must be weights, but got none of {', '.join(WEIGHT_FILES)}; "
            "choose another model"
        )
    if not path.name.endswith(".index.json"):
        return [path]
    paths = []
    for shard in _shards(name, path):
        found = find(shard)
        if found is None:
            raise InputError(
                f"backbone {name}: every file that {path.name} names must exist, but got none "
                f"named {shard}; copy or download it as well"
            )
        paths.append(found)
    return paths


def _shards(name: str, index: Path) -> list[str]:
    """Returns the names of the files in the index of a sharded checkpoint."""
    rule = f"backbone {name}: {index.name} must name the file of each weight"
    with refusing(rule, "copy or download it again"):
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        odd = [s for s in shards if s != Path(s).name or not s.endswith((".safetensors", ".bin"))]
        if odd or not shards:
            raise ValueError(f"the name {odd[0]!r}" if odd else "no file at all")
    return sorted(shards)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _cached(name: str, file: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, file, revision=revision)
    return Path(path) if isinstance(path, str) else None
