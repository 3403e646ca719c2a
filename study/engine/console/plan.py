"""The plan of a study, printed before anything trains (`--dry-run`)."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from study.engine.console.lines import _differing, _filled, _print_lines, _short, _table, _titled
from study.engine.resources import Resources
from study.models import BackboneInfo, describe
from study.spec import StudySpec
from study.spec.domains import domain_text
from study.spec.samplers import LEARNING
from study.spec.space import trials_wanted
from study.storage.race import candidates_wanted, rounds
from study.storage.record import in_words
from study.storage.warm_start import Earlier
from study.training.encoding import EncodedTask
from study.training.forecast import Forecast

RANKS = ("b0", "rank")
"""Settings that decide how many parameters train."""
SHOWN = ("b0", "bT", "deltaT", "rank")
"""Settings of the schedule that are always said."""
DETAILS = ("warmup_steps", "batch_size")
"""Settings that are said where they differ; T over steps tells final_fraction."""


def print_plan(
    console: Console,
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    points: Sequence[Forecast],
    rungs: Sequence[int],
    resources: Resources,
    earlier: Earlier | None = None,
) -> None:
    """Prints what would run: data, space, schedules at the space's corners, rungs, resources."""
    _print_lines(console, _overview(spec, info, data, resources))
    if earlier is not None:
        print_earlier(console, in_words(earlier))
    _print_lines(console, [_constant_line(points)])
    tables = {
        "searched": _space_table(spec),
        "points, tried first": _point_table(spec),
        "schedules at the corners of the space": _schedule_table(points),
        "trainable parameters at the start": _parameter_table(points),
    }
    for title, table in tables.items():
        if table.row_count:
            console.print(f"\n{title}", style="italic")
            console.print(table)
    console.print()
    _print_lines(console, _event_lines(points))
    console.print(_rung_line(spec, points, rungs), markup=False, soft_wrap=True)


def print_data(console: Console, data: EncodedTask) -> None:
    """Prints what a run starts with: what the data is like, tokens per sequence."""
    _print_lines(console, _data_lines(data))


def print_earlier(console: Console, results: str) -> None:
    """Prints which results a study begins with."""
    _print_lines(console, [f"earlier    begins with {results}"])


def _data_lines(data: EncodedTask) -> list[str]:
    quality = [] if data.quality is None else data.quality.lines()
    tokens = [] if data.tokens is None else data.tokens.lines()
    return [*_titled("data", quality), *_titled("tokens", tokens)]


def _overview(
    spec: StudySpec, info: BackboneInfo, data: EncodedTask, resources: Resources
) -> list[str]:
    rows = "/".join(str(len(part)) for part in (data.train, data.dev, data.test))
    return [
        *_backbone(spec, info, data.num_labels),
        f"task       {data.name}: {rows} sequences (train/dev/test), {data.num_labels} classes; "
        f"{_strands(spec)}",
        *_data_lines(data),
        f"method     {spec.adapter.method}",
        f"search     {_search(spec)}",
        *_goals(spec),
        *_race(spec),
        f"resources  {resources.cpus} CPU and {resources.gpus:g} GPU a trial, "
        f"{resources.concurrent} trials at once",
    ]


def _strands(spec: StudySpec) -> str:
    """Which strands are read: the given one, unless the task says otherwise."""
    trained = ["trained on either strand"] if spec.task.augments_rc else []
    scored = ["scored on both strands"] if spec.task.averages_rc else []
    return ", ".join([*trained, *scored]) or "read on the given strand"


def _backbone(spec: StudySpec, info: BackboneInfo, num_labels: int) -> list[str]:
    """What the name stands for; the last line where layers are adapted."""
    told, seed = describe(info.name, info.revision), spec.backbone.random_seed
    weights = "" if seed is None else f"; random weights, seed {seed}"
    revision = "" if told.revision is None else f"; revision {told.revision}"
    licence = "" if told.licence is None else f"; licence {told.licence}"
    lines = [
        f"backbone   {info.name}: {info.family}, {info.layers} layers x {info.hidden_size}, "
        f"up to {info.max_positions or 'any number of'} tokens{weights}{revision}{licence}",
        f"model      {told.classifier.split(':')[1]}, tokens {told.tokenizer}, head of "
        f"{told.sizes.head_parameters(num_labels):,} parameters on the {told.pooling}",
    ]
    names = [told.layer_names[matrix] for matrix in getattr(spec.adapter, "matrices", ())]
    return [*lines, *([f"adapts     {', '.join(names)} in each layer"] if names else [])]


def _search(spec: StudySpec) -> str:
    goal = "minimizing" if spec.search.metric == "loss" else "maximizing"
    if not spec.domains:
        return f"1 trial, as the space has no domain; {goal} {spec.objective}"
    trials = trials_wanted(spec)
    return f"{trials} trials by {spec.search.sampler.name}, {goal} {spec.objective}"


def _race(spec: StudySpec) -> list[str]:
    """How the winner is chosen, where more than its one score in the search decides."""
    field = candidates_wanted(spec)
    if field < 2:
        return []
    runs = sum(size * more for size, more in rounds(field))
    return [
        f"finalists  {field} at most race with fresh seeds ({runs} runs), then the winner's score "
        f"is measured with {spec.finalists.confirm} more"
    ]


def _goals(spec: StudySpec) -> list[str]:
    """What decides beside the score; constraints with whether the sampler learns from them."""
    goals, lines = spec.goals, []
    if len(goals.objectives) > 1:
        lines.append(f"front      {', '.join(map(str, goals.objectives))}; the first one decides")
    if goals.constraints:
        sampler = spec.search.sampler.name
        told = "steer" if sampler in LEARNING else "do not steer"
        bounds = ", ".join(map(str, goals.constraints))
        lines.append(f"bounds     {bounds}; the winner keeps them, and they {told} {sampler}")
    return lines


def _point_table(spec: StudySpec) -> Table:
    """The points that there are trials for; what a point leaves to the sampler is empty."""
    points = spec.point_params[: trials_wanted(spec)]
    names = dict.fromkeys(name for point in points for name in point)
    table = _table(list(names), justify="right")
    for point in points if names else ():
        table.add_row(*(_short(point[name]) if name in point else "" for name in names))
    return table


def _space_table(spec: StudySpec) -> Table:
    table = _table(("parameter", "domain", "role"), justify="left")
    for name, domain in spec.domains.items():
        role = "nuisance" if domain.role == "nuisance" else "studied"
        table.add_row(name, domain_text(domain), role)
    return table


def _constant_line(points: Sequence[Forecast]) -> str:
    """What all corners have in common; with a single corner, all there is to say."""
    rows = [_settings(p) | _schedule(p) | _parameters(p) for p in points]
    left_out = {*_differing(rows)[0], *DETAILS}
    common = [f"{name} {cell}" for name, cell in rows[0].items() if name not in left_out]
    return "all trials " + ", ".join(common)


def _schedule_table(points: Sequence[Forecast]) -> Table:
    """The schedules of the corners, each named by the settings in which they differ."""
    settings, schedules = _differing(map(_settings, points)), _differing(map(_schedule, points))
    rows = [a | b for a, b in zip(settings, schedules, strict=True)]
    return _filled(rows if schedules[0] else [])


def _event_lines(points: Sequence[Forecast]) -> list[str]:
    """The budget at each mask event, of every schedule once, as step:triplets."""
    found = {}
    for point in points:
        if point.plan.budget is not None:
            events = " ".join(f"{step}:{budget}" for step, budget in point.plan.budget.events())
            named = {k: v for k, v in _settings(point).items() if k in SHOWN}
            found[events] = ", ".join(f"{name} {value}" for name, value in named.items())
    return [f"mask events (step:triplets) with {named}: {e}" for e, named in found.items()]


def _parameter_table(points: Sequence[Forecast]) -> Table:
    """Numbers of trainable parameters by what decides them, each once."""
    counts = _differing(map(_parameters, points))
    ranks = [{k: v for k, v in _settings(p).items() if k in RANKS} for p in points]
    rows = [a | b for a, b in zip(ranks, counts, strict=True)]
    return _filled(rows if counts[0] else [])


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
        span = "-".join(dict.fromkeys(f"{share:.0%}" for share in (*shares[:1], *shares[-1:])))
        held = f", {span} of the triplets left" if shares else ""
        held += f", budget phase {'/'.join(phases)}" if phases else ""
        parts.append(f"step {step} (report {rung}{held})")
    factor = f"{spec.scheduler.reduction_factor:g}"
    return f"ASHA rungs, one in {factor} goes on: " + "; ".join(parts)


def _join(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps))
