"""The plan of a study, printed before anything trains (`--dry-run`)."""

from collections.abc import Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from study.engine.execution import Resources
from study.engine.ledger import trials_wanted
from study.models.inspect import BackboneInfo
from study.spec import CategoricalDomain, Domain, StudySpec
from study.training.encoded import EncodedTask
from study.training.forecast import Forecast

RANKS = ("b0", "rank")
"""Settings that decide how many parameters train."""
SHOWN = ("b0", "bT", "deltaT", "rank")
"""Settings that name a corner, searched or not."""
DETAILS = ("final_fraction", "warmup_steps", "batch_size", "warmup_ratio")
"""Other settings of the schedule, which name a corner where they differ."""


def print_plan(
    console: Console,
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    points: Sequence[Forecast],
    rungs: Sequence[int],
    resources: Resources,
) -> None:
    """Prints what would run: data, space, schedules at the space's corners, rungs, resources."""
    for line in [*_overview(spec, info, data, resources), _constant_line(points)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for table in (_space_table(spec), _schedule_table(points), _parameter_table(points)):
        if table.row_count:
            console.print(table)
    console.print(_rung_line(spec, points, rungs), markup=False, soft_wrap=True)


def _overview(
    spec: StudySpec, info: BackboneInfo, data: EncodedTask, resources: Resources
) -> list[str]:
    lengths = [getattr(data, split).lengths for split in ("train", "dev", "test")]
    rows = "/".join(str(len(part)) for part in lengths)
    longest = max(int(part.max()) for part in lengths)
    mean = sum(int(part.sum()) for part in lengths) / sum(len(part) for part in lengths)
    return [
        f"backbone   {info.name}: {info.family}, {info.layers} layers x {info.hidden_size}, "
        f"up to {info.max_positions} tokens",
        f"task       {data.name}: {rows} sequences (train/dev/test), {data.num_labels} classes, "
        f"{mean:.0f} tokens on average, {longest} at most",
        f"method     {spec.adapter.method}",
        f"search     {_search(spec)}",
        f"resources  {resources.cpus} CPU and {resources.gpus:g} GPU a trial, "
        f"{resources.concurrent} trials at once",
    ]


def _search(spec: StudySpec) -> str:
    goal = "minimizing" if spec.search.metric == "loss" else "maximizing"
    if not spec.domains:
        return f"1 trial, as the space has no domain; {goal} {spec.objective}"
    trials = trials_wanted(spec)
    return f"{trials} trials by {spec.search.sampler.name}, {goal} {spec.objective}"


def _space_table(spec: StudySpec) -> Table:
    table = _table("searched", ("parameter", "domain", "role"), justify="left")
    for name, domain in spec.domains.items():
        role = "nuisance" if domain.role == "nuisance" else "studied"
        table.add_row(name, _describe(domain), role)
    return table


def _describe(domain: Domain) -> str:
    if isinstance(domain, CategoricalDomain):
        return ", ".join(map(str, domain.choices))
    text = f"{domain.low:g} to {domain.high:g}"
    text += ", logarithmic" if domain.log else ""
    text += f", step {domain.step:g}" if domain.step else ""
    ratio = getattr(domain, "ratio_of", None)
    return text + (f", times {ratio}" if ratio else "")


def _constant_line(points: Sequence[Forecast]) -> str:
    """What all corners have in common; with a single corner, all there is to say."""
    rows = [_settings(p) | _schedule(p) | _parameters(p) for p in points]
    varying = _varying(rows)
    common = {name: cell for name, cell in rows[0].items() if name not in varying}
    shared = [f"{name} {cell}" for name, cell in common.items() if name not in DETAILS]
    return "all trials " + ", ".join(shared)


def _schedule_table(points: Sequence[Forecast]) -> Table:
    """The corners by their settings; mask events, the step of the first, and triplets."""
    schedules = [_schedule(point) for point in points]
    shown = _varying(schedules)
    settings = [_settings(point) for point in points]
    named = [name for name in settings[0] if name in SHOWN or name in _varying(settings)]
    rows = [
        {name: row[name] for name in named} | {name: schedule[name] for name in shown}
        for row, schedule in zip(settings, schedules, strict=True)
    ]
    return _filled("schedules at the corners of the space", rows if shown else [])


def _parameter_table(points: Sequence[Forecast]) -> Table:
    """Numbers of trainable parameters by what decides them, each once."""
    counts = [_parameters(point) for point in points]
    shown = _varying(counts)
    rows = [
        {name: cell for name, cell in _settings(point).items() if name in RANKS}
        | {name: count[name] for name in shown}
        for point, count in zip(points, counts, strict=True)
    ]
    unique = [row for place, row in enumerate(rows) if row not in rows[:place]]
    return _filled("trainable parameters at the start", unique if shown else [])


def _filled(title: str, rows: Sequence[dict[str, str]]) -> Table:
    table = _table(title, tuple(rows[0]) if rows else (), justify="right")
    for row in rows:
        table.add_row(*row.values())
    return table


def _table(title: str, columns: Sequence[str], justify: Literal["left", "right"]) -> Table:
    """A narrow table; a cell that is too long goes on in the next line, none is cut."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify=justify, overflow="fold")
    return table


def _varying(rows: Sequence[dict[str, str]]) -> list[str]:
    return [name for name in rows[0] if len({row[name] for row in rows}) > 1]


def _settings(point: Forecast) -> dict[str, str]:
    """The settings that decide schedule and size."""
    spec = point.spec
    found = {}
    for name in (*SHOWN, *DETAILS):
        section = spec.adapter if hasattr(spec.adapter, name) else spec.training
        if hasattr(section, name):
            found[name] = _short(getattr(section, name))
    return found


def _schedule(point: Forecast) -> dict[str, str]:
    """Steps; with a budget also T, the mask events, and the triplets start → half-way → end."""
    budget = point.plan.budget
    steps = {"steps": str(point.plan.total_steps)}
    if budget is None:
        return steps
    events = budget.events()
    middle = events[len(events) // 2][1]
    return steps | {
        "T": str(budget.T),
        "mask events": str(len(events)),
        "first at": str(events[0][0]),
        "triplets": " → ".join(map(str, dict.fromkeys((budget.triplets, middle, events[-1][1])))),
    }


def _parameters(point: Forecast) -> dict[str, str]:
    counts = point.parameters
    numbers = {"adapter": counts.adapter, "head": counts.head, "total": counts.total}
    return {f"{name} parameters": f"{number:,}" for name, number in numbers.items()}


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _rung_line(spec: StudySpec, points: Sequence[Forecast], rungs: Sequence[int]) -> str:
    reports = points[0].plan.report_steps
    if not rungs:
        return f"no early stopping; {len(reports)} reports at steps {_join(reports)}"
    parts = []
    for rung in rungs:
        step = reports[min(rung, len(reports)) - 1]
        budgets = [p.plan.budget for p in points if p.plan.budget is not None]
        phases = sorted({b.phase(step) for b in budgets})
        shares = sorted(b.budget(step) / b.triplets for b in budgets)
        held = f", {shares[0]:.0%}-{shares[-1]:.0%} of the triplets left" if shares else ""
        held += f", budget phase {'/'.join(phases)}" if phases else ""
        parts.append(f"step {step} (report {rung}{held})")
    factor = f"{spec.scheduler.reduction_factor:g}"
    return f"ASHA rungs, one in {factor} goes on: " + "; ".join(parts)


def _join(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps))
