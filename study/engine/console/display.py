"""What is shown while a command works: phases, the live view, and the page."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from study.engine.console.live_page import LivePage

if TYPE_CHECKING:
    from rich.console import Console

WritePage = Callable[[], object]
"""Writes the page of the folder from its journal."""


@dataclass
class Display:
    """The terminal of one command and the page of its folder."""

    quiet: bool = False
    """Whether to show warnings and the end only."""
    listeners: list[LivePage] = field(default_factory=list)
    """The listeners of a ledger that keep the page current."""

    last_page: WritePage | None = None
    """Writes the page as it is at the end."""

    def keep_current(self, write_page: WritePage, last_page: WritePage | None = None) -> None:
        """Writes the page now and then from now on; `last_page` is for the end."""
        self.listeners, self.last_page = [LivePage(write_page)], last_page

    def write_last_page(self) -> None:
        """Writes the page as it is at the end, once; it is then an artifact in MLflow."""
        write, self.last_page = self.last_page, None
        if write is not None:
            self.phase("writing the report")
            write()

    def phase(self, text: str) -> None:
        """Prints what is done from now on, with the time."""
        if not self.quiet:
            print(f"{clock()}  {text}", flush=True)  # noqa: T201

    @cached_property
    def console(self) -> "Console":
        """Where progress is printed; prints nothing if `quiet`."""
        from rich.console import Console  # Not needed for the first line.

        return Console(quiet=self.quiet)

    @cached_property
    def end(self) -> "Console":
        """Where the end is printed, also if `quiet`."""
        from rich.console import Console

        return Console()


def clock(seconds: float | None = None) -> str:
    """Returns a time, by default the present one, as 14:03:59."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))
