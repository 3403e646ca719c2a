"""Scores, top-two counts and Pareto points as tables of text; a table as markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.analysis.benchmark.method_pairs import MethodPair
from study.analysis.benchmark.pareto import ParetoPanel, ParetoPoint
from study.analysis.benchmark.reading import label
from study.analysis.benchmark.scores import CellScores, ScoreTable
from study.analysis.benchmark.top_two import Group, TopTwoCount
from study.analysis.comparison.scores.hierarchy import Belief
from study.paper.reference import Top2
from study.rates import Rate

GROUP_NAMES: dict[Group, str] = {"pd": "PD", "emp": "EMP", "other": "other tasks"}


@dataclass(frozen=True)
class TextCell:
    """The text of a table cell: measured numbers, and below them the published ones."""

    measured: str
    published: str = ""
    interval: str = ""
    """Of what was measured, 95 %."""


@dataclass(frozen=True)
class TextTable:
    """A header and rows of cells; the first `names` columns are names, the others numbers."""

    title: str
    columns: list[str]
    rows: list[list[TextCell]]
    names: int = 1
    note: str = ""


def score_tables(table: ScoreTable) -> list[TextTable]:
    """Returns a table for the baselines and one for each backbone: tasks x methods."""
    return [_scores(table, backbone, methods) for backbone, methods in table.blocks]


def top_two_table(counts: Iterable[TopTwoCount]) -> TextTable:
    """Returns a table with a row for each backbone and method, two columns for each group."""
    by_row: dict[tuple[str, str], dict[str, TopTwoCount]] = {}
    for count in counts:
        column = f"{GROUP_NAMES[count.group]}, among {count.among}"
        by_row.setdefault((count.backbone, count.method), {})[column] = count
    columns = list(dict.fromkeys(column for by_column in by_row.values() for column in by_column))
    rows = [
        [
            TextCell(label(backbone)),
            TextCell(method),
            *(top_two_cell(by_column[c]) for c in columns),
        ]
        for (backbone, method), by_column in by_row.items()
    ]
    return TextTable("", ["backbone", "method", *columns], rows, names=2)


def pair_tables(pairs: Iterable[MethodPair]) -> list[TextTable]:
    """Returns a table of all pairs over tasks, and one of every pair in each cell."""
    pairs = list(pairs)
    numbers = ["difference", "better", "equal", "worse"]
    known = [(pair, pair.over_tasks) for pair in pairs if pair.over_tasks is not None]
    rows = [
        [
            TextCell(f"{pair.a} - {pair.b}"),
            TextCell(str(one.groups)),
            *_belief(one.overall),
            rate_cell(pair.hurdle.a),
            rate_cell(pair.hurdle.b),
        ]
        for pair, one in known
    ]
    columns = ["pair", "groups of tasks", *numbers, "first unusable", "second unusable"]
    note = "Of tasks like these, each group of related tasks once."
    tables = [TextTable("Over tasks", columns, rows, note=note)]
    for pair, _ in known:
        cells = [
            [
                TextCell(cell.task),
                TextCell(label(cell.backbone)),
                TextCell(str(len(cell.differences))),
                *_belief(own),
            ]
            for cell, own in pair.beliefs
        ]
        names = ["task", "backbone", "seeds", *numbers]
        tables.append(TextTable(f"{pair.a} - {pair.b}", names, cells, names=2))
    return tables


def rate_cell(rate: Rate) -> TextCell:
    """Returns `3 of 65` with the exact interval of the rate."""
    limits = f"{100 * rate.low:.1f} to {100 * rate.high:.1f} %"
    return TextCell(f"{rate.k} of {rate.n}", interval=limits if rate.n else "")


def _belief(own: Belief) -> list[TextCell]:
    limits = f"{own.low:+.3f} to {own.high:+.3f}"
    return [
        TextCell(f"{own.mean:+.3f}", interval=limits),
        *(TextCell(f"{share:.2f}") for share in (own.better, own.equal, own.worse)),
    ]


def pareto_tables(panels: Iterable[ParetoPanel]) -> list[TextTable]:
    """Returns a table for each task with the points that have an MCC, here or in the paper."""
    columns = ["backbone", "method", "trainable parameters", "MCC", "on the front"]
    return [
        TextTable(panel.task, columns, rows, names=2)
        for panel in panels
        if (rows := [_point(point) for point in panel.points if _has_content(point)])
    ]


def score_cell(cell: CellScores) -> TextCell:
    """Returns `0.571 ± 0.012 (5)` with its interval and the paper's number.

    In parentheses: the number of runs with a score; `4 of 5` if some ended without one; `…` while
    runs are pending; the number of collapsed runs with †.
    """
    published = "" if cell.paper is None else f"paper {cell.paper:.3f}"
    ended = cell.n + cell.failed
    if not ended:
        return TextCell("", published)
    number = str(cell.n) if not cell.failed else f"{cell.n} of {ended}"
    number += " …" if cell.pending else ""
    number += f", {cell.collapsed} †" if cell.collapsed else ""
    if cell.mean is None:
        return TextCell(f"failed ({number})", published)
    spread = "" if cell.sd is None else f" ± {cell.sd:.3f}"
    limits = "" if cell.interval is None else "{:.3f} to {:.3f}".format(*cell.interval)
    return TextCell(f"{cell.mean:.3f}{spread} ({number})", published, limits)


def top_two_cell(count: TopTwoCount) -> TextCell:
    """Returns `2/3` with the paper's printed count, and the recounted one if it differs."""
    paper, recounted = _fraction(count.paper), _fraction(count.paper_recounted)
    published = []
    if paper:
        published.append(f"paper {paper}")
    if recounted and recounted != paper:
        published.append(f"recounted {recounted}")
    measured = _fraction(count.measured)
    if count.interval is not None:
        measured += f" ({count.interval[0]}-{count.interval[1]})"
    return TextCell(measured, ", ".join(published))


def markdown(table: TextTable) -> str:
    """Returns the title, the note and the table as markdown."""
    head = [f"## {_escaped(table.title)}\n"] if table.title else []
    head += [f"{_escaped(table.note)}\n"] if table.note else []
    numbers = len(table.columns) - table.names
    ruler = ["---"] * table.names + ["---:"] * numbers
    lines = [map(_escaped, table.columns), ruler]
    lines += [map(_markdown, row) for row in table.rows]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def _scores(table: ScoreTable, backbone: str, methods: Sequence[str]) -> TextTable:
    rows, anchor_column = [], ""
    for task in table.tasks:
        scores = [table.cells[task, backbone, method] for method in methods]
        anchor = scores[0].anchor
        anchor_column = anchor_column or (f"GUE, {anchor.method}" if anchor else "")
        anchor_cell = TextCell(f"{anchor.mcc:.3f}" if anchor else "")
        rows.append([TextCell(task), *map(score_cell, scores), anchor_cell])
    if not anchor_column:
        rows = [row[:-1] for row in rows]
    columns = ["task", *methods, *([anchor_column] if anchor_column else [])]
    title = label(backbone) if backbone else "Baselines"
    return TextTable(title, columns, rows, note=_note(table, backbone))


def _note(table: ScoreTable, backbone: str) -> str:
    cells = [cell for key, cell in table.cells.items() if key[1] == backbone]
    unavailable = sum(cell.states["unavailable"] for cell in cells)
    runs = sum(sum(cell.states.values()) for cell in cells)
    return f"{unavailable} of {runs} runs are unavailable." if unavailable else ""


def _point(point: ParetoPoint) -> list[TextCell]:
    parameters = point.cell.parameters
    printed = "" if point.paper_parameters is None else f"paper {point.paper_parameters:,.0f}"
    return [
        TextCell(label(point.backbone)),
        TextCell(point.method),
        TextCell("" if parameters is None else f"{parameters:,.0f}", printed),
        score_cell(point.cell),
        TextCell("yes" if point.on_front else ""),
    ]


def _has_content(point: ParetoPoint) -> bool:
    return point.cell.mean is not None or point.cell.failed > 0 or point.cell.paper is not None


def _fraction(top2: Top2 | None) -> str:
    return f"{top2.count}/{top2.of}" if top2 else ""


def _markdown(cell: TextCell) -> str:
    published = f"*{_escaped(cell.published)}*" if cell.published else ""
    return "<br>".join(filter(None, (_escaped(cell.measured), cell.interval, published)))


def _escaped(text: str) -> str:
    """Escapes markdown and HTML: names come from the user."""
    for mark in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(mark, "\\" + mark)
    return text.replace("\n", " ")
