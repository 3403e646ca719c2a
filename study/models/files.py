"""Files of a model on the Hugging Face hub: taken from the cache, else downloaded."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from study.hub import Repository

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


def has_weights(name: str, revision: str | None) -> bool:
    """Returns whether the cache has all weights of a model, every shard of them."""
    cached = (_cached(name, file, revision) for file in WEIGHT_FILES)
    path = next((path for path in cached if path is not None), None)
    if path is None or not path.name.endswith(".index.json"):
        return path is not None
    shards = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
    return all(_cached(name, shard, revision) for shard in set(shards))


def _cached(name: str, file: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, file, revision=revision)
    return Path(path) if isinstance(path, str) else None
