"""The plan of a study, printed before anything trains (`--dry-run`)."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from study.engine.execution import Resources
from study.models.inspect import BackboneInfo
from study.spec import CategoricalDomain, Domain, StudySpec
from study.training.encoded import EncodedTask
from study.training.forecast import Forecast

SHOWN = ("b0", "bT", "deltaT", "rank")


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
    for line in _overview(spec, info, data, resources):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(_space_table(spec))
    console.print(_corner_table(points))
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
        f"search     {spec.search.trials} trials by {spec.search.sampler.name}, "
        f"maximizing {spec.objective}"
        if spec.search.metric != "loss"
        else f"search     {spec.search.trials} trials by {spec.search.sampler.name}, "
        f"minimizing {spec.objective}",
        f"resources  {resources.cpus} CPU and {resources.gpus:g} GPU a trial, "
        f"{resources.concurrent} trials at once",
    ]


def _space_table(spec: StudySpec) -> Table:
    table = Table(title="searched", title_justify="left")
    for column in ("parameter", "domain", "role"):
        table.add_column(column)
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


def _corner_table(points: Sequence[Forecast]) -> Table:
    table = Table(title="corners of the space", title_justify="left")
    settings = [n for n in SHOWN if any(hasattr(point.spec.adapter, n) for point in points)]
    columns = (*settings, "steps", "T", "events", "first", "budget", "adapter", "head", "total")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for point in points:
        counts = point.parameters
        table.add_row(
            *(_short(getattr(point.spec.adapter, name)) for name in settings),
            str(point.plan.total_steps),
            *_schedule(point),
            *(f"{number:,}" for number in (counts.adapter, counts.head, counts.total)),
        )
    return table


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _schedule(point: Forecast) -> tuple[str, str, str, str]:
    """T, how many mask events, the first of them, and the budget at start, half-way and end."""
    budget = point.plan.budget
    if budget is None:
        return "-", "-", "-", "-"
    events = budget.events()
    middle = events[len(events) // 2][1]
    budgets = dict.fromkeys((budget.triplets, middle, events[-1][1]))
    return (
        str(budget.T),
        str(len(events)),
        f"step {events[0][0]}",
        " → ".join(map(str, budgets)),
    )


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
