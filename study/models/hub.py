"""Files of a Hugging Face hub model: from the hub's cache if they are there, else downloaded."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from study.deadline import within
from study.errors import InputError

T = TypeVar("T")
_PATIENCE = 5.0  # seconds to wait for the hub's first answer


def fetch(name: str, revision: str | None, files: Sequence[str]) -> Path:
    """The local folder with config.json and those of `files` that the model has.

    A model whose config is in the cache is taken from there as it is, without a question to
    the hub. Raises InputError where the hub or the network refuses.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent
    _check_connection(name, revision)
    config = reach(name, lambda: hf_hub_download(name, "config.json", revision=revision))
    for file in files:
        try:
            hf_hub_download(name, file, revision=revision)
        except EntryNotFoundError:
            continue
    return Path(config).parent


def reach(name: str, action: Callable[[], T]) -> T:
    """The result of `action`; what the hub or the network refuses becomes one InputError."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    meanings: dict[type[Exception], str] = {  # the first that fits, so the narrow ones first
        GatedRepoError: "a model that asks for a login and an agreement",
        RevisionNotFoundError: "no such revision",
        RepositoryNotFoundError: "no such model",
        LocalEntryNotFoundError: "no connection and no copy in the cache",
        EntryNotFoundError: "a model without the file asked for",
        OSError: "no answer that can be used",
    }
    try:
        return action()
    except tuple(meanings) as error:
        found = next(text for kind, text in meanings.items() if isinstance(error, kind))
        raise _refused(name, found) from error


def _check_connection(name: str, revision: str | None) -> None:
    """One question to the hub, without the hub library's 20 seconds of repeated attempts."""
    from huggingface_hub import constants, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise _refused(name, "no copy in the cache (HF_HUB_OFFLINE is set)")
    request = Request(hf_hub_url(name, "config.json", revision=revision), method="HEAD")
    try:
        within(_PATIENCE, lambda: urlopen(request).close())
    except HTTPError as error:
        error.close()  # the hub answers: what it refuses, the download will say
    except OSError as error:
        raise _refused(name, f"no connection ({error}) and no copy in the cache") from error


def _refused(name: str, found: str) -> InputError:
    return InputError(
        f"backbone.name: {name} must be on the Hugging Face hub or in its cache, found {found}; "
        f"either fill the cache where there is a network (hf download {name}) and set HF_HOME "
        "to it, or give a local folder that holds the model"
    )
