"""Lines and tables that the plan, the live view and the summary print."""

import sys
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    """The lines in the plan's two columns, the title before the first."""
    return [f"{'' if place else title:<11}{line}" for place, line in enumerate(lines)]


def _filled(rows: Sequence[dict[str, str]]) -> Table:
    """The rows, each once; a name of two words may be broken between them."""
    names = [name.replace("_", " ") for name in rows[0]] if rows else []
    table = _table(names, justify="right")
    for row in (row for place, row in enumerate(rows) if row not in rows[:place]):
        table.add_row(*row.values())
    return table


def _table(columns: Sequence[str], justify: Literal["left", "right"]) -> Table:
    """A narrow table; a cell that is too long goes on in the next line, none is cut."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column, justify=justify, overflow="fold")
    return table


def _differing(cells: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The cells of every row without the columns that are the same in all rows."""
    rows = list(cells)
    names = [name for name in rows[0] if len({row[name] for row in rows}) > 1]
    return [{name: row[name] for name in names} for row in rows]


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def warn(message: str) -> None:
    """Prints a warning on standard error."""
    print(f"warning: {message}", file=sys.stderr)  # noqa: T201
