"""A chart of a page: its table of numbers and the words around it; a script draws it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What a page knows of a chart; `shell/README.md` says how a script draws it."""

    name: str
    """The same in the script, in the page's HTML and of figures/NAME.csv."""
    columns: Mapping[str, Sequence[Any]]
    """The numbers, column by column, all of one length; this is also the csv. A column `trial`
    links marks to trials."""
    alt: str
    """What the chart shows, for those who cannot see it: axes, and what stands out."""
    heading: str = ""
    caption: str = ""
    """How to read it, and how sure it is."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else the drawing needs: domains, names of axes, rungs."""

    def as_json(self) -> dict[str, Any]:
        """Returns what the script needs."""
        return {"columns": self.columns, "options": self.options}

    def csv(self) -> str:
        """Returns the numbers as csv; None is empty."""
        table = io.StringIO(newline="")
        writer = csv.writer(table)
        writer.writerow(self.columns)
        writer.writerows(zip(*self.columns.values(), strict=True))
        return table.getvalue()
