"""Printing: warnings, lines of text, tables and values."""

import sys
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from study.errors import one_line

TITLE_WIDTH = 11
"""Characters of the first of the two columns in which plan and summary are printed."""


def warn(message: str) -> None:
    """Prints a warning on standard error."""
    print(f"warning: {one_line(message)}", file=sys.stderr)  # noqa: T201


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Prints lines as they are: without markup, highlighting or wrapping."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def titled(title: str, lines: Sequence[str]) -> list[str]:
    """Returns lines indented to the second column, the title before the first of them."""
    return [f"{'' if place else title:<{TITLE_WIDTH}}{line}" for place, line in enumerate(lines)]


def format_value(value: object) -> str:
    """Returns a setting as text: floats with three significant digits, `-` for None."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def empty_table(columns: Sequence[str], justify: Literal["left", "right"]) -> Table:
    """Returns a narrow table without rows; cells that are too long are wrapped, not cut."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column, justify=justify, overflow="fold")
    return table


def table_of(rows: Sequence[dict[str, str]]) -> Table:
    """Returns a table of rows by column name, without repeated rows.

    Underscores in column names become spaces, at which a name may be wrapped.
    """
    names = [name.replace("_", " ") for name in rows[0]] if rows else []
    table = empty_table(names, justify="right")
    for row in (row for place, row in enumerate(rows) if row not in rows[:place]):
        table.add_row(*row.values())
    return table


def differing_columns(cells: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Returns the rows without the columns that have the same value in all of them."""
    rows = list(cells)
    names = [name for name in rows[0] if len({row[name] for row in rows}) > 1]
    return [{name: row[name] for name in names} for row in rows]
