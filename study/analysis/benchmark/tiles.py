"""Cells and counts as tiles: a colour, a number, and the published number below it."""

from collections.abc import Iterable
from dataclasses import dataclass

from study.analysis.benchmark.cells import Table
from study.analysis.benchmark.reading import Metric, label
from study.analysis.benchmark.sheets import GROUPS, top2_text
from study.analysis.benchmark.top2 import Count

SPAN: dict[Metric, float] = {"mcc": 0.2, "auc": 0.1}
"""How far behind the best of its task a mean is when its tile has the palest colour."""


@dataclass(frozen=True)
class Tile:
    """`shade` runs from 0 (pale) to 1 (dark); without one the tile has no colour."""

    text: str = ""
    small: str = ""
    shade: float | None = None
    bad: bool = False


@dataclass(frozen=True)
class Row:
    """The tiles of one method, or of published results (`aside`)."""

    name: str
    tiles: list[Tile]
    aside: bool = False


@dataclass(frozen=True)
class Mosaic:
    """Rows of tiles in blocks, a block a backbone."""

    title: str
    columns: list[str]
    blocks: list[tuple[str, list[Row]]]
    notes: list[str]
    """What dark and pale, small numbers, and marks beside numbers mean."""


def score_tiles(table: Table, title: str) -> Mosaic:
    """A row for every backbone and method, a column a task; dark: near the best of the task."""
    best: dict[str, float] = {}
    for (task, *_), mean in table.means().items():
        best[task] = max(mean, best.get(task, mean))
    blocks = []
    for backbone, methods in table.blocks:
        rows = [
            Row(method, [_score(table, task, backbone, method, best) for task in table.tasks])
            for method in methods
        ]
        anchors = [table.cells[task, backbone, methods[0]].anchor for task in table.tasks]
        if anchor := next(filter(None, anchors), None):
            tiles = [Tile(small=f"{a.mcc:.3f}" if a else "") for a in anchors]
            rows.append(Row(f"GUE, {anchor.method}", tiles, aside=True))
        blocks.append((label(backbone) if backbone else "baselines", rows))
    span = SPAN[table.metric]
    shades = f"dark: best of the task; pale: {span:g} or more behind it"
    return Mosaic(title, table.tasks, blocks, [shades, *_notes(table)])


def top2_tiles(counts: Iterable[Count], title: str) -> Mosaic:
    """A row for every backbone and method, two columns for every group of tasks."""
    blocks: dict[str, dict[str, list[Tile]]] = {}
    columns: dict[str, None] = {}
    for count in counts:
        columns |= {f"{GROUPS[count.group]}\namong {count.rivals}": None}
        text, found = top2_text(count), count.found
        share = found.count / found.of if found and found.of else None
        tile = Tile(text.main, text.small.replace(", ", "\n"), share)
        blocks.setdefault(count.backbone, {}).setdefault(count.method, []).append(tile)
    rows = [
        (label(backbone), [Row(method, tiles) for method, tiles in found.items()])
        for backbone, found in blocks.items()
    ]
    return Mosaic(title, list(columns), rows, ["dark: on every task; pale: on none"])


def _score(table: Table, task: str, backbone: str, method: str, best: dict[str, float]) -> Tile:
    cell = table.cells[task, backbone, method]
    small = "" if cell.paper is None else f"{cell.paper:.3f}"
    if cell.mean is None:
        return Tile("failed" if cell.failed else "", small, bad=cell.failed > 0)
    text = f"{cell.mean:.3f}"
    text += "" if cell.sd is None else f" ±{cell.sd:.3f}".replace("0.", ".", 1)
    text += "†" * (cell.collapsed > 0) + "!" * (cell.failed > 0)
    text += f" ({cell.n})" * (bool(backbone) and cell.n != table.usual_n)
    behind = (best[task] - cell.mean) / SPAN[table.metric]
    return Tile(text, small, 1 - min(1.0, behind))


def _notes(table: Table) -> list[str]:
    found, usual = table.cells.values(), table.usual_n
    notes = {
        f"n = {usual} seed{'s' * (usual != 1)} unless given": usual is not None,
        "empty: no run has a score": any(not cell.n and not cell.failed for cell in found),
        "small, below: the paper": any(cell.paper is not None for cell in found),
        "† some runs collapsed": any(cell.collapsed for cell in found),
        "! some runs failed": any(cell.failed and cell.n for cell in found),
    }
    return [text for text, used in notes.items() if used]
