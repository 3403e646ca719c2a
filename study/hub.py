"""The Hugging Face hub: how it is asked, and the one line that answers whatever it refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from study.deadline import within
from study.errors import UnavailableError

T = TypeVar("T")
_PATIENCE = 5.0  # seconds to wait for the hub's first answer


@dataclass(frozen=True)
class Repository:
    """A repository of the hub, with the setting that asked for it and the way to do without it.

    `setting` opens each message (`backbone.name`), `instead` ends it ("give a local folder").
    """

    name: str
    kind: Literal["model", "dataset"]
    revision: str | None
    setting: str
    instead: str

    def reach(self, action: Callable[[], T]) -> T:
        """The result of `action`; what hub or network refuse becomes one UnavailableError."""
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        kind = "model" if self.kind == "model" else "data set"
        meanings: dict[type[BaseException], str] = {  # the first that fits: narrow ones first
            GatedRepoError: f"a {kind} that asks for a login and an agreement",
            RevisionNotFoundError: f"no such revision of the {kind}: {self.revision}",
            RepositoryNotFoundError: f"no such {kind}",
            LocalEntryNotFoundError: "no connection and no copy in the cache",
            EntryNotFoundError: f"a {kind} without the file asked for",
            # The hub's HTTP library (which one depends on its version) shows as a base here.
            **dict.fromkeys(HfHubHTTPError.__bases__, "no answer that can be used"),
            OSError: "no answer that can be used",
        }
        try:
            return action()
        except tuple(meanings) as error:
            found = next(text for kind, text in meanings.items() if isinstance(error, kind))
            raise self.refused(found) from error

    def check_connection(self) -> None:
        """One question to the hub, without its library's 20 seconds of repeated attempts.

        Raises:
            UnavailableError: the hub does not answer, or HF_HUB_OFFLINE is set.
        """
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise self.refused("no copy in the cache (HF_HUB_OFFLINE is set)")
        request = Request(constants.ENDPOINT, method="HEAD")
        try:
            within(_PATIENCE, lambda: urlopen(request).close())
        except HTTPError as error:
            error.close()  # the hub answers: what it refuses, the download will say
        except OSError as error:
            found = f"no connection ({error}) and no copy in the cache"
            raise self.refused(found) from error

    def refused(self, found: str) -> UnavailableError:
        """The error that says what was found, and both ways out: the cache or a local copy."""
        download = f"hf download {self.name}"
        download += " --repo-type dataset" if self.kind == "dataset" else ""
        download += f" --revision {self.revision}" if self.revision else ""
        return UnavailableError(
            f"{self.setting}: {self.name} must be on the Hugging Face hub or in its cache, found "
            f"{found}; either fill the cache where there is a network ({download}) and set "
            f"HF_HOME to it, or {self.instead}"
        )
