"""Every table and picture of a benchmark: what it is called, what is in it, how to read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.benchmark import cells, pareto, plots, sheets, tiles, top2
from study.analysis.benchmark.reading import Benchmark, Metric
from study.analysis.benchmark.sheets import Sheet
from study.paper.reference import EMP_TASKS, PD_TASKS

STEMS = ("table2_auc", "tableS2_mcc", "all_mcc", "all_auc", "table3_top2", "figure1_pareto")
"""The names of the files, without their endings."""
SCORES = (
    "Mean ± standard deviation over seeds (runs with a score, of how many that ended if some "
    "have none; … more are to come; † that many collapsed: |MCC| below 0.01, counted in the "
    "mean). Below it the paper's number, of one seed and another protocol."
)
ANCHORS = " GUE: the published MCC of the backbone, of one seed."


@dataclass(frozen=True)
class Section:
    """One table or picture, as it goes into files and into the page."""

    stem: str
    title: str
    note: str
    records: list[dict[str, Any]]
    """The rows of its csv."""
    sheets: list[Sheet]
    picture: bytes | None
    """PNG; None where there is nothing to draw."""


def sections(benchmark: Benchmark) -> list[Section]:
    """Returns the sections that the benchmark has tasks for, in the order of `STEMS`."""
    tasks = benchmark.tasks
    promoters = [task for task in tasks if task in PD_TASKS]
    marks = [task for task in tasks if task in EMP_TASKS]
    found = [
        _scores(benchmark, STEMS[0], "Table 2: test AUC, promoter detection", "auc", promoters),
        _scores(benchmark, STEMS[1], "Table S2: test MCC, epigenetic marks", "mcc", marks),
        _scores(benchmark, STEMS[2], "Test MCC on every task", "mcc", tasks),
        _scores(benchmark, STEMS[3], "Test AUC on every task", "auc", tasks),
        _top2(benchmark),
        _pareto(benchmark),
    ]
    return [section for section in found if section is not None]


def _scores(
    benchmark: Benchmark, stem: str, title: str, metric: Metric, tasks: Sequence[str]
) -> Section | None:
    if not tasks:
        return None
    table = cells.table(benchmark, metric, tasks)
    return Section(
        stem=stem,
        title=title,
        note=SCORES + (ANCHORS if metric == "mcc" else ""),
        records=cells.records(table),
        sheets=sheets.score_sheets(table),
        picture=plots.mosaic(tiles.score_tiles(table, title)),
    )


def _top2(benchmark: Benchmark) -> Section | None:
    counts = top2.counts(benchmark)
    if not counts:
        return None
    title = "Table 3: on how many tasks among the top two"
    return Section(
        stem=STEMS[4],
        title=title,
        note=(
            "By mean test AUC on promoter detection (PD), by mean test MCC elsewhere. Among "
            "methods: those of the same backbone. Among backbones: those with the same method, "
            "which is what the paper's Table 3 counts. Only tasks on which all that are compared "
            "have a value count; with fewer than three to compare there is no count; a tie "
            "counts for all in it. Recounted: in the same way, from the paper's Tables 2 and "
            "S2."
        ),
        records=top2.records(counts),
        sheets=[sheets.top2_sheet(counts)],
        picture=plots.mosaic(tiles.top2_tiles(counts, title)),
    )


def _pareto(benchmark: Benchmark) -> Section | None:
    panels = pareto.panels(benchmark)
    rows = sheets.pareto_sheets(panels)
    if not benchmark.backbones:
        return None
    tasks = f" The picture has the first {pareto.PANELS} tasks." * (len(panels) > pareto.PANELS)
    return Section(
        stem=STEMS[5],
        title="Figure 1: trainable parameters against test MCC",
        note=(
            "Mean and standard deviation over seeds; the dotted line is the Pareto front of these "
            "runs: none has at most as many trainable parameters and a higher mean. Points lie at "
            "the parameters that are trainable at the start; AdaLoRA and AdaLoRA+RS prune their "
            "adapters and end with fewer, on average with kept_parameters of the csv (head "
            "included). Hollow: the paper's runs, with the parameters it prints. A baseline below "
            f"all of these is not drawn.{tasks}"
        ),
        records=pareto.records(panels),
        sheets=rows,
        picture=plots.pareto(panels) if any(panel.drawable for panel in panels) else None,
    )
