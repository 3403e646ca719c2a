"""Access to the Hugging Face hub: all its errors become one-line UnavailableErrors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from study.deadline import within
from study.errors import UnavailableError

T = TypeVar("T")
_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class Repository:
    """A repository on the hub."""

    name: str
    kind: Literal["model", "dataset"]
    revision: str | None
    setting: str
    """The setting that names the repository, e.g. `backbone.name`; begins the error messages."""
    alternative: str
    """What to do without the hub, e.g. `give a local folder`; ends the error messages."""

    def call(self, action: Callable[[], T]) -> T:
        """Returns the result of `action`, which uses the hub.

        Raises:
            UnavailableError: the hub or the network refuses the request.
        """
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        kind = "model" if self.kind == "model" else "data set"
        meanings: dict[type[BaseException], str] = {  # subclasses before their bases
            GatedRepoError: f"a {kind} that requires a login and an agreement",
            RevisionNotFoundError: f"no such revision of the {kind}: {self.revision}",
            RepositoryNotFoundError: f"no such {kind}",
            LocalEntryNotFoundError: "no connection and no copy in the cache",
            EntryNotFoundError: f"a {kind} without the requested file",
            # The bases include the errors of the HTTP library, which depends on the hub's version.
            **dict.fromkeys(HfHubHTTPError.__bases__, "no usable answer"),
            OSError: "no usable answer",
        }
        try:
            return action()
        except tuple(meanings) as error:
            reason = next(text for kind, text in meanings.items() if isinstance(error, kind))
            raise self.unavailable(reason) from error

    def check_connection(self) -> None:
        """Sends one request to the hub, without the 20 s of retries of its library.

        Raises:
            UnavailableError: the hub does not answer in 5 s, or HF_HUB_OFFLINE is set.
        """
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise self.unavailable("no copy in the cache (HF_HUB_OFFLINE is set)")
        request = Request(constants.ENDPOINT, method="HEAD")
        try:
            within(_TIMEOUT, lambda: urlopen(request).close())
        except HTTPError as error:
            error.close()  # The hub answers; the download reports what it refuses.
        except OSError as error:
            reason = f"no connection ({error}) and no copy in the cache"
            raise self.unavailable(reason) from error

    def unavailable(self, reason: str) -> UnavailableError:
        """Returns an error with the reason and both fixes: fill the cache, or `alternative`."""
        download = f"hf download {self.name}"
        download += " --repo-type dataset" if self.kind == "dataset" else ""
        download += f" --revision {self.revision}" if self.revision else ""
        return UnavailableError(
            f"{self.setting}: {self.name} must be on the Hugging Face hub or in its cache, but "
            f"got {reason}; either fill the cache where there is a network ({download}) and set "
            f"HF_HOME to it, or {self.alternative}"
        )
