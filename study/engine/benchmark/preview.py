"""The plan of a benchmark (`--dry-run`): schedules and sizes, without weights and without Ray.

Nothing is downloaded: tasks of the hub count with their published rows, presets with their known
sizes.
"""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from study.engine.benchmark.runs import check_cell, runs_of
from study.engine.console.lines import print_lines, warn
from study.engine.resources import describe
from study.errors import UnavailableError
from study.models.info import sizes_of
from study.models.presets import PRESETS
from study.models.sizes import Sizes, cnn_sizes
from study.spec import (
    AdaLoraRSSpec,
    AdaLoraSpec,
    CnnSpec,
    LoraSpec,
    PeftSpec,
    StudySpec,
    TaskSpec,
)
from study.spec.benchmark.cells import Cell
from study.spec.benchmark.loading import Benchmark
from study.tasks import load_task
from study.tasks.published.catalogue import PUBLISHED, planned_rows
from study.training.plan import make_plan

Row = tuple[str, ...]
FILE_WIDTH = 130
"""Characters a line where the plan is not printed on a terminal."""


def preview(benchmark: Benchmark) -> None:
    """Prints the runs, schedules and numbers of parameters.

    Raises:
        InputError: some run would have no mask event before T, or fewer steps than reports.
    """
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    cells = [cell for cell in benchmark.cells if not cell.is_baseline]
    facts = {cell.spec.task: _facts(cell.spec.task) for cell in benchmark.cells}
    for cell in cells:
        check_cell(cell, *facts[cell.spec.task])
    sizes = {cell.spec.backbone: _sizes(cell.spec) for cell in cells}
    print_lines(console, _overview(benchmark, cells))
    schedules = [(cell, _schedule(cell, facts[cell.spec.task][0])) for cell in cells]
    names = ("task", "method", "backbone", "sequences", "lr", "steps", "mask events", "b", "kept")
    _print(console, "schedules (b: triplets a matrix; kept: mean after the random mask)", names,
           _grouped(schedules, ("task", "method", "backbone")))  # fmt: skip
    parameters = [
        (cell, _parameters(cell.spec, sizes[cell.spec.backbone], facts[cell.spec.task][1]))
        for cell in cells
    ]
    counts = ("backbone", "method", "task", "adapter", "kept", "head", "trainable", "share")
    _print(console, "parameters", counts, _grouped(parameters, ("backbone", "method", "task")))


def _overview(benchmark: Benchmark, cells: Sequence[Cell]) -> list[str]:
    spec, runs = benchmark.spec, runs_of(benchmark)
    axes = [f"{len(getattr(spec, axis))} {axis}" for axis in ("backbones", "tasks", "methods")]
    baselines = len(spec.baselines) * len(spec.tasks)
    lines = [f"runs       {len(runs)}: {' x '.join(axes)} x {len(spec.seeds)} seeds, and "
             f"{baselines} baselines ({', '.join(spec.baselines) or 'none'})"]  # fmt: skip
    licences: dict[str, list[str]] = {}
    for entry in spec.backbones:
        name = str(entry.set.get("backbone.name"))
        if name in PRESETS:
            licences.setdefault(PRESETS[name].licence, []).append(entry.label)
    lines += ["weights    not read for this plan; they are checked once the benchmark starts"]
    lines += [f"licence    {', '.join(names)}: {text}" for text, names in licences.items()]
    shares = {describe(cell.spec.resources): None for cell in cells}
    return [*lines, *(f"resources  {share} per run" for share in shares)]


def _facts(task: TaskSpec) -> tuple[int, int]:
    """Returns training rows and classes; the published ones for a task of the hub."""
    rows = planned_rows(task)
    if rows is not None:
        return rows, PUBLISHED[str(task.name)].classes
    loaded = load_task(task, search=False)
    return len(loaded.train), loaded.num_labels


def _schedule(cell: Cell, train_rows: int) -> Row:
    """Returns sequences, learning rate, steps, mask events, b0 to bT, and the mean kept."""
    spec = cell.spec
    plan = make_plan(spec, train_rows, matrices=1)
    adapter, budget = spec.adapter, plan.budget
    shared = (f"{train_rows:,}", f"{spec.training.lr:g}", f"{plan.total_steps:,}")
    if budget is None or not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        return (*shared, "", f"r {adapter.rank}" if isinstance(adapter, LoraSpec) else "", "")
    steps = [step for step, _ in budget.events()]
    events = f"{len(steps)}: {steps[0]:,} to {steps[-1]:,}"
    return (*shared, events, f"{adapter.b0} → {adapter.bT}", f"{_kept(spec):.2g}")


def _kept(spec: StudySpec) -> float:
    """Returns the mean triplets a matrix after the last mask: (1 - p) bT + p (b0 - bT)."""
    adapter = spec.adapter
    assert isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec)
    if adapter.final_mask == "deterministic":
        return float(adapter.bT)
    reintroduce = adapter.p if adapter.p_reintroduce is None else adapter.p_reintroduce
    return (1 - adapter.p) * adapter.bT + reintroduce * (adapter.b0 - adapter.bT)


def _sizes(spec: StudySpec) -> Sizes | None:
    """Returns the sizes of a backbone; None if the hub cannot be reached."""
    if isinstance(spec.backbone, CnnSpec):
        return cnn_sizes(spec.backbone)
    try:
        return sizes_of(spec.backbone.name, spec.backbone.revision)
    except UnavailableError as error:
        warn(str(error))
        return None


def _parameters(spec: StudySpec, sizes: Sizes | None, num_labels: int) -> Row:
    """Returns adapters at the start and kept at the end, head, trainable, and its share of all."""
    if sizes is None:
        return ("?",) * 5
    adapter, head = spec.adapter, sizes.head_parameters(num_labels)
    backbone = sizes.backbone_parameters
    start = kept = 0
    if isinstance(adapter, PeftSpec):  # PEFT counts them when the model is there.
        return ("?", "?", f"{head:,}", "?", "?")
    if isinstance(adapter, LoraSpec):
        start = kept = sizes.adapter_parameters(adapter.matrices, adapter.rank, svd=False)
    elif isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        start = sizes.adapter_parameters(adapter.matrices, adapter.b0, svd=True)
        kept = round(sizes.adapter_parameters(adapter.matrices, 1, svd=True) * _kept(spec))
    elif adapter.method == "fmft":
        start = kept = backbone or 0
    share = "" if backbone is None else f"{(start + head) / (backbone + head):.2%}"
    return (f"{start:,}", f"{kept:,}", f"{head:,}", f"{start + head:,}", share)


def _grouped(cells: Iterable[tuple[Cell, Row]], axes: Sequence[str]) -> list[Row]:
    """Returns one row for all cells with equal values; the last axis is joined first."""
    rows: list[tuple[list[list[str]], Row]] = [
        ([[str(getattr(cell, axis))] for axis in axes], row) for cell, row in cells
    ]
    for axis in reversed(range(len(axes))):
        joined: dict[tuple[object, ...], tuple[list[list[str]], Row]] = {}
        for labels, row in rows:
            others = tuple(tuple(part) for i, part in enumerate(labels) if i != axis)
            known = joined.setdefault((others, row), (labels, row))
            known[0][axis] = list(dict.fromkeys([*known[0][axis], *labels[axis]]))
        rows = list(joined.values())
    every = [{label for labels, _ in rows for label in labels[i]} for i in range(len(axes))]
    return [
        (*(_named(part, every[i]) for i, part in enumerate(labels)), *row) for labels, row in rows
    ]


def _named(labels: Sequence[str], every: set[str]) -> str:
    """Returns `all`, or the labels, with `emp/*` for a complete family."""
    if len(labels) == len(every) > 1:
        return "all"
    names: dict[str, None] = {}
    for label in labels:
        family = label.partition("/")[0] + "/"
        siblings = {other for other in every if other.startswith(family)}
        names[f"{family}*" if len(siblings) > 1 and siblings <= set(labels) else label] = None
    return ", ".join(names)


def _print(console: Console, title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    if not rows:
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for place, column in enumerate(columns):
        table.add_column(
            column, justify="left" if place < 3 else "right", overflow="fold", no_wrap=place > 2
        )
    for row in rows:
        table.add_row(*row)
    console.print(f"\n{title}", style="italic")
    console.print(table)
