"""The plan of a study, printed before anything trains (`--dry-run`)."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from study.engine.console.lines import (
    differing_columns,
    empty_table,
    format_value,
    print_lines,
    table_of,
    titled,
)
from study.engine.resources import Resources
from study.models import BackboneInfo, describe
from study.models.families import POOLED
from study.spec import CnnSpec, PeftSpec, StudySpec, method_label
from study.spec.domains import domain_text, extremes
from study.spec.samplers import LEARNING
from study.spec.space import planned_trials
from study.storage.events import WarmStart
from study.storage.race import planned_candidates, rounds
from study.storage.record import in_words
from study.tasks.labels import class_name
from study.training.class_weights import class_weights
from study.training.encoding import EncodedTask
from study.training.forecast import Forecast

RANKS = ("b0", "rank")
"""Settings that decide the number of trainable parameters."""
SHOWN = ("b0", "bT", "deltaT", "rank")
"""Settings of the schedule that are always printed."""
DETAILS = ("warmup_steps", "batch_size")
"""Settings that are printed where they differ; final_fraction follows from T and steps."""


def print_plan(
    console: Console,
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    points: Sequence[Forecast],
    rungs: Sequence[int],
    resources: Resources,
    earlier: WarmStart | None = None,
    schedules: bool = False,
) -> None:
    """Prints the plan: data, space, resources, rungs.

    `schedules`: also the schedules at the corners of the space, with every mask event.
    """
    print_lines(console, _overview(spec, info, data, resources))
    if earlier is not None:
        print_earlier(console, in_words(earlier))
    print_lines(console, [_constant_line(points)])
    tables = {
        "searched": _space_table(spec),
        "points, tried first": _point_table(spec),
    }
    if schedules:
        tables |= {
            "schedules at the corners of the space": _schedule_table(points),
            "trainable parameters at the start": _parameter_table(points),
        }
    for title, table in tables.items():
        if table.row_count:
            console.print(f"\n{title}", style="italic")
            console.print(table)
    console.print()
    print_lines(console, _event_lines(points) if schedules else [])
    print_lines(console, [_rung_line(spec, points, rungs)])


def print_data(console: Console, data: EncodedTask) -> None:
    """Prints the quality of the data and the tokens per sequence."""
    print_lines(console, _data_lines(data))


def print_earlier(console: Console, results: str) -> None:
    """Prints which earlier results a study starts with."""
    print_lines(console, [f"earlier    starts with {results}"])


def _data_lines(data: EncodedTask) -> list[str]:
    quality = [] if data.quality is None else data.quality.lines()
    tokens = [] if data.tokens is None else data.tokens.lines()
    return [*titled("data", quality), *titled("tokens", tokens)]


def _overview(
    spec: StudySpec, info: BackboneInfo, data: EncodedTask, resources: Resources
) -> list[str]:
    rows = "/".join(str(len(part)) for part in (data.train, data.dev, data.test))
    return [
        *_backbone(spec, info, data.num_labels),
        f"task       {data.name}: {rows} sequences (train/dev/test), {data.num_labels} classes; "
        f"{_strands(spec)}",
        *_data_lines(data),
        *_loss(spec, data),
        f"method     {method_label(spec.adapter)}",
        f"search     {_search(spec)}",
        *_goals(spec),
        *_race(spec),
        f"resources  {resources.cpus} CPU and {resources.gpus:g} GPU a trial, "
        f"{resources.concurrent} trials at once",
    ]


def _loss(spec: StudySpec, data: EncodedTask) -> list[str]:
    """Returns the line on class weights, if there are any and they are not searched."""
    chosen = spec.training.class_weights
    if chosen == "none" or "class_weights" in spec.domains:
        return []
    weights = class_weights(spec.training, data.train.labels, data.num_labels)
    assert weights is not None
    each = [f"{class_name(k, data.classes)} {weight:.3g}" for k, weight in enumerate(weights)]
    word = "balanced" if chosen == "balanced" else "given"
    return [f"loss       class weights, {word}: {', '.join(each)}"]


def _strands(spec: StudySpec) -> str:
    """Returns which strands are read: the given one, or both in training or evaluation."""
    trained = ["trained on either strand"] if spec.task.augments_rc else []
    scored = ["scored on both strands"] if spec.task.averages_rc else []
    return ", ".join([*trained, *scored]) or "read on the given strand"


def _backbone(spec: StudySpec, info: BackboneInfo, num_labels: int) -> list[str]:
    """Returns the lines on backbone and classifier; with adapters also on the adapted layers."""
    if isinstance(spec.backbone, CnnSpec):
        return ["backbone   cnn: a convolutional network on single bases, without pre-training"]
    backbone, seed = describe(info.name, info.revision), spec.backbone.random_seed
    weights = "" if seed is None else f"; random weights, seed {seed}"
    revision = "" if backbone.revision is None else f"; revision {backbone.revision}"
    licence = "" if backbone.licence is None else f"; licence {backbone.licence}"
    lines = [
        f"backbone   {info.name}: {info.family}, {info.layers} layers x {info.hidden_size}, "
        f"up to {info.max_positions or 'any number of'} tokens{weights}{revision}{licence}",
        f"model      {backbone.classifier.split(':')[1]}, tokens {backbone.tokenizer}, head of "
        f"{backbone.sizes.head_parameters(num_labels):,} parameters on the "
        f"{_pooling(spec, backbone.pooling)}",
    ]
    by_name = isinstance(spec.adapter, PeftSpec) and not spec.adapter.uses_matrices
    matrices = () if by_name else getattr(spec.adapter, "matrices", ())
    names = [backbone.layer_names[matrix] for matrix in matrices]
    return [*lines, *([f"adapts     {', '.join(names)} in each layer"] if names else [])]


def _pooling(spec: StudySpec, own: str) -> str:
    """Returns what the head reads; `own` is what the class of the model does."""
    choices = [own if each == "auto" else each for each in extremes(spec.backbone.pooling)]
    return " or ".join(POOLED[each] for each in dict.fromkeys(choices))


def _search(spec: StudySpec) -> str:
    goal = "maximizing" if spec.goals.objectives[0].maximize else "minimizing"
    if not spec.domains:
        return f"1 trial, as the space has no domain; {goal} {spec.objective}"
    trials = planned_trials(spec)
    return f"{trials} trials by {spec.search.sampler.name}, {goal} {spec.objective}"


def _race(spec: StudySpec) -> list[str]:
    """Returns the line on the race of finalists, if there is one."""
    finalists = planned_candidates(spec)
    if finalists < 2:
        return []
    runs = sum(candidates * seeds for candidates, seeds in rounds(finalists))
    return [
        f"finalists  up to {finalists} are compared on fresh seeds ({runs} runs), then the "
        f"winner is measured with {spec.finalists.confirm} more"
    ]


def _goals(spec: StudySpec) -> list[str]:
    """Returns the lines on further objectives and on constraints, if there are any."""
    goals, lines = spec.goals, []
    if len(goals.objectives) > 1:
        lines.append(f"front      {', '.join(map(str, goals.objectives))}; the first decides")
    if goals.constraints:
        sampler = spec.search.sampler.name
        influence = "guide" if sampler in LEARNING else "do not guide"
        bounds = ", ".join(map(str, goals.constraints))
        lines.append(
            f"bounds     {bounds}; the winner satisfies them, and they {influence} {sampler}"
        )
    return lines


def _point_table(spec: StudySpec) -> Table:
    """Returns the points that will be tried; values left to the sampler are empty."""
    points = spec.point_params[: planned_trials(spec)]
    names = dict.fromkeys(name for point in points for name in point)
    table = empty_table(list(names), justify="right")
    for point in points if names else ():
        table.add_row(*(format_value(point[name]) if name in point else "" for name in names))
    return table


def _space_table(spec: StudySpec) -> Table:
    table = empty_table(("parameter", "domain", "role"), justify="left")
    for name, domain in spec.domains.items():
        role = "nuisance" if domain.role == "nuisance" else "studied"
        table.add_row(name, domain_text(domain), role)
    return table


def _constant_line(points: Sequence[Forecast]) -> str:
    """Returns the line on what all corners of the space have in common."""
    rows = [_settings(p) | _schedule(p) | _parameters(p) for p in points]
    left_out = {*differing_columns(rows)[0], *DETAILS}
    common = [f"{name} {cell}" for name, cell in rows[0].items() if name not in left_out]
    return "all trials " + ", ".join(common)


def _schedule_table(points: Sequence[Forecast]) -> Table:
    """Returns the schedules of the corners with the settings in which they differ."""
    settings, schedules = (
        differing_columns(map(_settings, points)),
        differing_columns(map(_schedule, points)),
    )
    rows = [a | b for a, b in zip(settings, schedules, strict=True)]
    return table_of(rows if schedules[0] else [])


def _event_lines(points: Sequence[Forecast]) -> list[str]:
    """Returns the budget at each mask event as step:triplets, one line per schedule."""
    settings = {}
    for point in points:
        if point.plan.budget is not None:
            events = " ".join(f"{step}:{budget}" for step, budget in point.plan.budget.events())
            shown = {k: v for k, v in _settings(point).items() if k in SHOWN}
            settings[events] = ", ".join(f"{name} {value}" for name, value in shown.items())
    return [f"mask events (step:triplets) with {with_}: {e}" for e, with_ in settings.items()]


def _parameter_table(points: Sequence[Forecast]) -> Table:
    """Returns the numbers of trainable parameters with the settings that decide them."""
    counts = differing_columns(map(_parameters, points))
    ranks = [{k: v for k, v in _settings(p).items() if k in RANKS} for p in points]
    rows = [a | b for a, b in zip(ranks, counts, strict=True)]
    return table_of(rows if counts[0] else [])


def _settings(point: Forecast) -> dict[str, str]:
    """Returns the settings that decide schedule and size."""
    spec = point.spec
    settings = {}
    for name in (*SHOWN, *DETAILS):
        if name in spec.leaves:
            settings[name] = format_value(spec.leaves[name])
    return settings


def _schedule(point: Forecast) -> dict[str, str]:
    """Returns the steps; with a budget also T, mask events, triplets start → half-way → end."""
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
        budget = f", {span} of the triplets left" if shares else ""
        budget += f", budget phase {'/'.join(phases)}" if phases else ""
        parts.append(f"step {step} (report {rung}{budget})")
    factor, audit = f"{spec.scheduler.reduction_factor:g}", spec.scheduler.audit
    if audit:
        parts.append(f"after the search {audit:.0%} of the stopped trials train to the end")
    return f"ASHA rungs, one trial in {factor} continues: " + "; ".join(parts)


def _join(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps))
