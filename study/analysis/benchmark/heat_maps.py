"""Scores and top-two counts as heat maps: coloured cells with measured and published numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from study.analysis.benchmark.reading import Metric, label
from study.analysis.benchmark.scores import ScoreTable
from study.analysis.benchmark.text_tables import GROUP_NAMES, top_two_cell
from study.analysis.benchmark.top_two import TopTwoCount

SPAN: dict[Metric, float] = {"mcc": 0.2, "auc": 0.1}
"""Distance from the best mean of the task at which a cell has the palest colour."""


@dataclass(frozen=True)
class HeatMapCell:
    """One cell: its number, the published one, and its colour."""

    measured: str = ""
    published: str = ""
    shade: float | None = None
    """From 0 (pale) to 1 (dark); None for no colour."""
    failed: bool = False
    """Whether all runs failed."""


@dataclass(frozen=True)
class HeatMapRow:
    """The cells of one method, or published results only."""

    name: str
    cells: list[HeatMapCell]
    published_only: bool = False


@dataclass(frozen=True)
class HeatMap:
    """Rows of cells, in one block for each backbone."""

    title: str
    columns: list[str]
    blocks: list[tuple[str, list[HeatMapRow]]]
    notes: list[str]
    """The legend: colours, small numbers and marks."""


def score_heat_map(table: ScoreTable, title: str) -> HeatMap:
    """Returns rows for backbones and methods, columns for tasks; dark: near the task's best."""
    best: dict[str, float] = {}
    for (task, *_), mean in table.means().items():
        best[task] = max(mean, best.get(task, mean))
    blocks = []
    for backbone, methods in table.blocks:
        rows = [
            HeatMapRow(
                method, [_score(table, task, backbone, method, best) for task in table.tasks]
            )
            for method in methods
        ]
        anchors = [table.cells[task, backbone, methods[0]].anchor for task in table.tasks]
        if anchor := next(filter(None, anchors), None):
            cells = [HeatMapCell(published=f"{a.mcc:.3f}" if a else "") for a in anchors]
            rows.append(HeatMapRow(f"GUE, {anchor.method}", cells, published_only=True))
        blocks.append((label(backbone) if backbone else "baselines", rows))
    span = SPAN[table.metric]
    shades = f"dark: best of the task; pale: {span:g} or more below it"
    return HeatMap(title, table.tasks, blocks, [shades, *_notes(table)])


def top_two_heat_map(counts: Iterable[TopTwoCount], title: str) -> HeatMap:
    """Returns rows for backbones and methods, two columns for each group of tasks."""
    blocks: dict[str, dict[str, list[HeatMapCell]]] = {}
    columns: dict[str, None] = {}
    for count in counts:
        columns |= {f"{GROUP_NAMES[count.group]}\namong {count.among}": None}
        text, measured = top_two_cell(count), count.measured
        share = measured.count / measured.of if measured and measured.of else None
        cell = HeatMapCell(text.measured, text.published.replace(", ", "\n"), share)
        blocks.setdefault(count.backbone, {}).setdefault(count.method, []).append(cell)
    rows = [
        (label(backbone), [HeatMapRow(method, cells) for method, cells in by_method.items()])
        for backbone, by_method in blocks.items()
    ]
    return HeatMap(
        title, list(columns), rows, ["dark: among the top two on every task; pale: on none"]
    )


def _score(
    table: ScoreTable, task: str, backbone: str, method: str, best: dict[str, float]
) -> HeatMapCell:
    cell = table.cells[task, backbone, method]
    published = "" if cell.paper is None else f"{cell.paper:.3f}"
    if cell.mean is None:
        return HeatMapCell("failed" if cell.failed else "", published, failed=cell.failed > 0)
    text = f"{cell.mean:.3f}"
    text += "" if cell.sd is None else f" ±{cell.sd:.3f}".replace("0.", ".", 1)
    text += "†" * (cell.collapsed > 0) + "!" * (cell.failed > 0)
    text += f" ({cell.n})" * (bool(backbone) and cell.n != table.usual_n)
    behind = (best[task] - cell.mean) / SPAN[table.metric]
    return HeatMapCell(text, published, 1 - min(1.0, behind))


def _notes(table: ScoreTable) -> list[str]:
    cells, usual = table.cells.values(), table.usual_n
    notes = {
        f"n = {usual} seed{'s' * (usual != 1)} unless given": usual is not None,
        "empty: no run has a score": any(not cell.n and not cell.failed for cell in cells),
        "small numbers: the paper": any(cell.paper is not None for cell in cells),
        "† some runs collapsed": any(cell.collapsed for cell in cells),
        "! some runs failed": any(cell.failed and cell.n for cell in cells),
    }
    return [text for text, used in notes.items() if used]
