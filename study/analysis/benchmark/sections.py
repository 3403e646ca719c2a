"""The sections of a benchmark report: one for each table or figure, with its title and note."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study.analysis.benchmark import (
    heat_map_plots,
    heat_maps,
    method_pairs,
    pareto,
    pareto_plots,
    scores,
    text_tables,
    top_two,
)
from study.analysis.benchmark.method_pairs import ROPE, MethodPair
from study.analysis.benchmark.reading import BenchmarkResults, Metric
from study.analysis.benchmark.text_tables import TextTable
from study.paper.reference import EMP_TASKS, PD_TASKS

STEMS = (
    "table2_auc",
    "tableS2_mcc",
    "all_mcc",
    "all_auc",
    "table3_top2",
    "figure1_pareto",
    "method_pairs",
)
"""File names without suffix, in the order of the report."""
SCORE_NOTE = (
    "Mean ± standard deviation over seeds. In parentheses: number of runs with a score; 4 of 5: "
    "five runs ended, one without a score; …: runs are pending; †: number of collapsed runs "
    "(within the range of guessing), which the mean includes. Below: the 95 % interval of the "
    "mean over seeds and test sets, where no run failed or collapsed; and the paper's number, "
    "from one seed and another protocol."
)
ANCHOR_NOTE = " GUE: the published MCC of the backbone, from one seed."


@dataclass(frozen=True)
class ResultSection:
    """One table or figure, for the page and the files in tables/."""

    stem: str
    title: str
    note: str
    records: list[dict[str, Any]]
    """Rows of the csv file."""
    tables: list[TextTable]
    picture: bytes | None
    """PNG; None if there is nothing to draw."""
    drawn: bool = True
    """Whether it is a picture with tables of its numbers, and not tables alone."""


def sections(benchmark: BenchmarkResults, pairs: Sequence[MethodPair] = ()) -> list[ResultSection]:
    """Returns the sections for which the benchmark has tasks, in the order of `STEMS`.

    Args:
        benchmark: the runs.
        pairs: its methods in pairs.
    """
    tasks = benchmark.tasks
    promoters = [task for task in tasks if task in PD_TASKS]
    marks = [task for task in tasks if task in EMP_TASKS]
    all_sections = [
        _scores(benchmark, STEMS[0], "Table 2: test AUC, promoter detection", "auc", promoters),
        _scores(benchmark, STEMS[1], "Table S2: test MCC, epigenetic marks", "mcc", marks),
        _scores(benchmark, STEMS[2], "Test MCC on every task", "mcc", tasks),
        _scores(benchmark, STEMS[3], "Test AUC on every task", "auc", tasks),
        _top_two(benchmark),
        _pareto(benchmark),
        _pairs(pairs),
    ]
    return [section for section in all_sections if section is not None]


def _scores(
    benchmark: BenchmarkResults, stem: str, title: str, metric: Metric, tasks: Sequence[str]
) -> ResultSection | None:
    if not tasks:
        return None
    table = scores.score_table(benchmark, metric, tasks)
    return ResultSection(
        stem=stem,
        title=title,
        note=SCORE_NOTE + (ANCHOR_NOTE if metric == "mcc" else ""),
        records=scores.records(table),
        tables=text_tables.score_tables(table),
        picture=heat_map_plots.heat_map(heat_maps.score_heat_map(table, title)),
    )


def _top_two(benchmark: BenchmarkResults) -> ResultSection | None:
    counts = top_two.top_two_counts(benchmark)
    if not counts:
        return None
    title = "Table 3: number of tasks among the top two"
    return ResultSection(
        stem=STEMS[4],
        title=title,
        note=(
            "Ranked by mean test AUC on promoter detection (PD) and by mean test MCC on all other "
            "tasks. Among methods: compared with the other methods of the same backbone. Among "
            "backbones: compared with the other backbones tuned by the same method, as in the "
            "paper's Table 3. A task counts only if all that are compared have a mean on it; "
            "tied means all count; with fewer than three to compare there is no count. "
            "In parentheses: the range that holds the count of the true means in 95 % of cases, "
            "with all comparisons of the row counted together. "
            "Recounted: the same count computed from the paper's Tables 2 and S2."
        ),
        records=top_two.records(counts),
        tables=[text_tables.top_two_table(counts)],
        picture=heat_map_plots.heat_map(heat_maps.top_two_heat_map(counts, title)),
    )


def _pareto(benchmark: BenchmarkResults) -> ResultSection | None:
    panels = pareto.pareto_panels(benchmark)
    if not benchmark.backbones:
        return None
    tasks = f" The figure shows the first {pareto.PANELS} tasks." * (len(panels) > pareto.PANELS)
    return ResultSection(
        stem=STEMS[5],
        title="Figure 1: trainable parameters against test MCC",
        note=(
            "Mean and standard deviation of test MCC over seeds. Dashed line: the Pareto front; "
            "no other point has at most as many trainable parameters and a higher mean. "
            "Parameters are counted at the start of training; AdaLoRA and AdaLoRA+RS prune their "
            "adapters and end with fewer (mean: kept_parameters in the csv file, head included). "
            "Hollow points: the paper's runs with its printed parameter counts. Grey lines: "
            f"baselines; those below all points are not drawn.{tasks}"
        ),
        records=pareto.records(panels),
        tables=text_tables.pareto_tables(panels),
        picture=pareto_plots.pareto(panels) if any(panel.drawable for panel in panels) else None,
    )


def _pairs(pairs: Sequence[MethodPair]) -> ResultSection | None:
    records = method_pairs.records(pairs)
    if not records:
        return None
    return ResultSection(
        stem=STEMS[6],
        title="Methods in pairs: test MCC on equal seeds",
        note=(
            "Difference of two methods with its 95 % interval over seeds and test sets, and the "
            f"probability that the first is better by more than {ROPE:g}, equal, or worse: a "
            "hierarchical model of all cells, in which backbones of a task and related tasks "
            "count once, and a cell with a large error is drawn towards the others. Over seeds "
            "with which neither run failed or collapsed. Without a correction for looks and for "
            "several pairs. Runs that failed or collapsed: share with its exact 95 % interval."
        ),
        records=records,
        tables=text_tables.pair_tables(pairs),
        picture=None,
        drawn=False,
    )
