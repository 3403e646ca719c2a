"""What the terminal prints when a benchmark ends: test MCC by task and method, and the files."""

from collections.abc import Sequence
from pathlib import Path

from study.analysis.benchmark.reading import read_benchmark
from study.analysis.benchmark.scores import score_table
from study.analysis.benchmark.text_tables import TextCell, TextTable, score_tables

GAP = "  "
NOTE = (
    "Mean ± standard deviation over seeds. In parentheses: runs with a score; †: collapsed runs; "
    "…: runs are pending."
)


def closing_lines(folder: Path, files: Sequence[Path], width: int) -> list[str]:
    """Returns the test MCC of every task and method, then where the files are.

    Args:
        folder: of the benchmark.
        files: those that `write_tables` has written.
        width: of the terminal; tables are split into parts that fit, if one method does.

    Raises:
        InputError: results.csv is missing or invalid.
    """
    benchmark = read_benchmark(folder)
    table = score_table(benchmark, "mcc", benchmark.tasks)
    tables = [line for one in score_tables(table) for line in ["", *text_lines(one, width)]]
    return ["", "test MCC", *tables, "", *_wrapped(NOTE, width), "", *_file_lines(folder, files)]


def text_lines(table: TextTable, width: int) -> list[str]:
    """Returns a table as lines of text: its title, its note, and parts that fit `width`."""
    names, lines = table.names, [table.title] if table.title else []
    lines += [table.note] if table.note else []
    widths = [
        max(len(head), *(len(text) for row in table.rows for text in _texts(row[place])))
        for place, head in enumerate(table.columns)
    ]
    fixed = sum(widths[:names]) + len(GAP) * (names - 1)
    parts: list[list[int]] = [[]]
    for place in range(names, len(table.columns)):
        used = fixed + sum(len(GAP) + widths[one] for one in (*parts[-1], place))
        if parts[-1] and used > width:
            parts.append([])
        parts[-1].append(place)
    for number, part in enumerate(parts):
        lines += [""] if number else []
        shown = [*range(names), *part]
        lines.append(_line([table.columns[one] for one in shown], shown, widths, names))
        for row in table.rows:
            lines.append(_line([row[one].measured for one in shown], shown, widths, names))
            published = [row[one].published for one in shown]
            if any(published):
                lines.append(_line(published, shown, widths, names))
    return lines


def _line(texts: Sequence[str], shown: Sequence[int], widths: Sequence[int], names: int) -> str:
    """Returns a row, names to the left and numbers to the right."""
    cells = [
        text.ljust(widths[place]) if place < names else text.rjust(widths[place])
        for text, place in zip(texts, shown, strict=True)
    ]
    return GAP.join(cells).rstrip()


def _texts(cell: TextCell) -> tuple[str, str]:
    return cell.measured, cell.published


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], joined] if len(joined) <= width else [*lines, word]
    return lines


def _file_lines(folder: Path, files: Sequence[Path]) -> list[str]:
    """Returns a line for the tables, which are in one folder, and one for each other file."""
    inner = sorted({file.stem for file in files if file.parent != folder})
    others = [f"report     {file}" for file in files if file.parent == folder]
    tables = [f"tables     {folder / 'tables'}: {', '.join(inner)}"] if inner else []
    return [f"results    {folder / 'results.csv'}", *tables, *others]
