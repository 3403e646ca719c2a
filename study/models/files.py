"""Files of a Hugging Face hub model: from the hub's cache if they are there, else downloaded."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from study.hub import Repository


def model_repository(name: str, revision: str | None) -> Repository:
    """The repository of a model that `backbone.name` asks for."""
    instead = "give a local folder that holds the model"
    return Repository(name, "model", revision, "backbone.name", instead)


def fetch(name: str, revision: str | None, files: Sequence[str]) -> Path:
    """The local folder with config.json and those of `files` that the model has.

    A model whose config is in the cache is taken from there as it is, without a question to
    the hub; so the config comes last, and an interrupted download is taken up again. Raises
    InputError where the hub or the network refuses.
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

    return hub.reach(download)


def has_weights(name: str, revision: str | None) -> bool:
    """Whether the cache holds the weights of a model, every part of them."""
    found = (_cached(name, file, revision) for file in WEIGHT_FILES)
    path = next((path for path in found if path is not None), None)
    if path is None or not path.name.endswith(".index.json"):
        return path is not None
    parts = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
    return all(_cached(name, part, revision) for part in set(parts))


def _cached(name: str, file: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, file, revision=revision)
    return Path(path) if isinstance(path, str) else None


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
