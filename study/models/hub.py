"""Files of a Hugging Face hub model: from the hub's cache if they are there, else downloaded."""

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
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent
    hub = model_repository(name, revision)
    hub.check_connection()

    def download() -> Path:
        for file in files:
            with suppress(RemoteEntryNotFoundError):
                hf_hub_download(name, file, revision=revision)
        return Path(hf_hub_download(name, "config.json", revision=revision)).parent

    return hub.reach(download)
