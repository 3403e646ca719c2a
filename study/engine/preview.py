"""The plan of a study, printed before anything trains (`--dry-run`)."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from study.engine.execution import Resources
from study.models.inspect import BackboneInfo
from study.spec import CategoricalDomain, Domain, StudySpec
from study.training.data import EncodedTask
from study.training.forecast import Forecast

EVENTS_SHOWN = 4


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
    console.print(_corner_table(points, info))
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


def _corner_table(points: Sequence[Forecast], info: BackboneInfo) -> Table:
    table = Table(title="corners of the space", title_justify="left")
    columns = ("at", "steps", "T", "mask events", "budget at them", "adapter", "head", "total")
    for column in columns:
        table.add_column(column, justify="left" if column == "at" else "right")
    for point in points:
        counts = point.parameters
        table.add_row(
            _changed(point),
            str(point.plan.total_steps),
            *_schedule(point),
            f"{counts.adapter:,}",
            f"{counts.head:,}",
            f"{counts.total:,}",
        )
    return table


def _changed(point: Forecast) -> str:
    names = ("b0", "bT", "deltaT", "rank")
    values = {n: getattr(point.spec.adapter, n) for n in names if hasattr(point.spec.adapter, n)}
    return " ".join(f"{k}={v:.3g}" for k, v in values.items()) or point.spec.adapter.method


def _schedule(point: Forecast) -> tuple[str, str, str]:
    budget = point.plan.budget
    if budget is None:
        return "-", "-", "-"
    events = budget.events()
    steps = f"{len(events)}: step {events[0][0]} … {events[-1][0]}"
    chosen = [events[i * (len(events) - 1) // (EVENTS_SHOWN - 1)] for i in range(EVENTS_SHOWN)]
    shown = list(dict.fromkeys(b for _, b in (chosen if len(events) > 1 else events)))
    return str(budget.T), steps, f"{budget.triplets} → " + " → ".join(map(str, shown))


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
