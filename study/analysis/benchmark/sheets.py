"""Cells, counts and points as text in rows and columns; and a sheet as markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.analysis.benchmark.cells import Cell, Table
from study.analysis.benchmark.pareto import Panel, Point
from study.analysis.benchmark.reading import label
from study.analysis.benchmark.top2 import Count, Group
from study.paper.reference import Top2

GROUPS: dict[Group, str] = {"pd": "PD", "emp": "EMP", "other": "other tasks"}


@dataclass(frozen=True)
class Text:
    """What stands in a cell: its own numbers, and below them the published ones."""

    main: str
    small: str = ""


@dataclass(frozen=True)
class Sheet:
    """Rows of texts below a header; the first `names` columns hold names, the others numbers."""

    title: str
    columns: list[str]
    rows: list[list[Text]]
    names: int = 1
    note: str = ""


def score_sheets(table: Table) -> list[Sheet]:
    """One sheet for the baselines and one a backbone: a row a task, a column a method."""
    return [_scores(table, backbone, methods) for backbone, methods in table.blocks]


def top2_sheet(counts: Iterable[Count]) -> Sheet:
    """A row for every backbone and method, two columns for every group of tasks."""
    by_row: dict[tuple[str, str], dict[str, Count]] = {}
    for count in counts:
        column = f"{GROUPS[count.group]}, among {count.rivals}"
        by_row.setdefault((count.backbone, count.method), {})[column] = count
    columns = list(dict.fromkeys(column for found in by_row.values() for column in found))
    rows = [
        [Text(label(backbone)), Text(method), *(top2_text(found[column]) for column in columns)]
        for (backbone, method), found in by_row.items()
    ]
    return Sheet("", ["backbone", "method", *columns], rows, names=2)


def pareto_sheets(panels: Iterable[Panel]) -> list[Sheet]:
    """One sheet a task: the points that have an MCC, here or in the paper."""
    columns = ["backbone", "method", "trainable parameters", "MCC", "on the front"]
    return [
        Sheet(panel.task, columns, rows, names=2)
        for panel in panels
        if (rows := [_point(point) for point in panel.points if _worth_a_row(point)])
    ]


def score_text(cell: Cell) -> Text:
    """`0.571 ± 0.012 (5)`, and below it the paper's number.

    In brackets: runs with a score, of how many that ended if some have none; … while runs are
    still to end; how many collapsed, with †.
    """
    small = "" if cell.paper is None else f"paper {cell.paper:.3f}"
    ended = cell.n + cell.failed
    if not ended:
        return Text("", small)
    number = str(cell.n) if not cell.failed else f"{cell.n} of {ended}"
    number += " …" if cell.pending else ""
    number += f", {cell.collapsed} †" if cell.collapsed else ""
    if cell.mean is None:
        return Text(f"failed ({number})", small)
    spread = "" if cell.sd is None else f" ± {cell.sd:.3f}"
    return Text(f"{cell.mean:.3f}{spread} ({number})", small)


def top2_text(count: Count) -> Text:
    """`2/3`, and below it the paper's count, as printed, and recounted where that differs."""
    printed, recounted = _fraction(count.printed), _fraction(count.recounted)
    small = []
    if printed:
        small.append(f"paper {printed}")
    if recounted and recounted != printed:
        small.append(f"recounted {recounted}")
    return Text(_fraction(count.found), ", ".join(small))


def markdown(sheet: Sheet) -> str:
    """The sheet as a markdown table below its title, a blank line between them."""
    head = [f"## {_escaped(sheet.title)}\n"] if sheet.title else []
    head += [f"{_escaped(sheet.note)}\n"] if sheet.note else []
    numbers = len(sheet.columns) - sheet.names
    ruler = ["---"] * sheet.names + ["---:"] * numbers
    lines = [map(_escaped, sheet.columns), ruler]
    lines += [map(_markdown, row) for row in sheet.rows]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def _scores(table: Table, backbone: str, methods: Sequence[str]) -> Sheet:
    rows, anchored = [], ""
    for task in table.tasks:
        cells = [table.cells[task, backbone, method] for method in methods]
        texts = [score_text(cell) for cell in cells]
        anchor = cells[0].anchor
        anchored = anchored or (f"GUE, {anchor.method}" if anchor else "")
        rows.append([Text(task), *texts, Text(f"{anchor.mcc:.3f}" if anchor else "")])
    if not anchored:
        rows = [row[:-1] for row in rows]
    columns = ["task", *methods, *([anchored] if anchored else [])]
    title = label(backbone) if backbone else "Baselines"
    return Sheet(title, columns, rows, note=_note(table, backbone))


def _note(table: Table, backbone: str) -> str:
    cells = [cell for key, cell in table.cells.items() if key[1] == backbone]
    unavailable = sum(cell.states["unavailable"] for cell in cells)
    runs = sum(sum(cell.states.values()) for cell in cells)
    return f"{unavailable} of {runs} runs cannot be had here." if unavailable else ""


def _point(point: Point) -> list[Text]:
    parameters = point.cell.parameters
    printed = "" if point.paper_parameters is None else f"paper {point.paper_parameters:,.0f}"
    return [
        Text(label(point.backbone)),
        Text(point.method),
        Text("" if parameters is None else f"{parameters:,.0f}", printed),
        score_text(point.cell),
        Text("yes" if point.front else ""),
    ]


def _worth_a_row(point: Point) -> bool:
    return point.cell.mean is not None or point.cell.failed > 0 or point.cell.paper is not None


def _fraction(top2: Top2 | None) -> str:
    return f"{top2.count}/{top2.of}" if top2 else ""


def _markdown(text: Text) -> str:
    small = f"*{_escaped(text.small)}*" if text.small else ""
    return "<br>".join(filter(None, (_escaped(text.main), small)))


def _escaped(text: str) -> str:
    """Names are the user's: no table, emphasis or tag may come of them."""
    for mark in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(mark, "\\" + mark)
    return text.replace("\n", " ")
