"""The plan of a comparison (--dry-run): configurations, runs and steps, with warnings."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from study.engine.comparison.design import runs_of
from study.engine.comparison.request import ComparisonRequest
from study.engine.comparison.runs import ComparisonRun, Configuration
from study.engine.comparison.shared_prefixes import Prefixes
from study.engine.console.lines import format_value, print_lines, warn
from study.engine.resources import describe
from study.errors import InputError
from study.models.info import BackboneInfo
from study.spec.comparison.schema import FACTORS, ComparisonSpec, FactorSeeds, is_masked
from study.training.class_weights import check_class_weights
from study.training.encoding import EncodedTask
from study.training.peft.check import check_peft
from study.training.plan import make_plan
from study.training.steps import check_schedules

UNKNOWN = {
    "mask": "the variance due to the random mask",
    "init": "the variance due to the initial weights",
    "data": "the variance due to the order of the data",
}
"""What cannot be estimated with a single seed of a factor."""


_RESPLIT = (
    "splits     the data seed of a run draws its train, dev and test rows too (task.resplit); if "
    "settings were tuned on this table, some test rows were dev or train rows then"
)


def check_runs(spec: ComparisonSpec, data: EncodedTask) -> None:
    """Checks the training settings; warns of variance components that cannot be estimated.

    Raises:
        InputError: a configuration has no mask event before T, fewer steps than reports, or not
            one weight for each class.
    """
    for label, one in spec.configurations.items():
        try:
            check_schedules(one, len(data.train))
            check_class_weights(one.training, data.name, data.num_labels, data.classes)
            check_peft(one)
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
    crossed = spec.components or spec.seeds
    if crossed is None:
        return
    own = spec.configurations if spec.seeds else {"": spec.first}
    masked = any(map(is_masked, own.values()))
    if not masked:
        warn(
            "no random mask (p > 0) in the crossed runs: mask seeds have no effect, and there is "
            "one run per init and data seed"
        )
    for factor in FACTORS:
        if len(getattr(crossed, factor)) == 1 and (masked or factor != "mask"):
            warn(f"only one {factor} seed: {UNKNOWN[factor]} cannot be estimated")


def check_patterns(spec: ComparisonSpec, info: BackboneInfo, num_labels: int) -> None:
    """Checks that rank patterns are of the layers of the backbone.

    Raises:
        InputError: one is not; the message names the configuration.
    """
    patterned = {
        label: one
        for label, one in spec.configurations.items()
        if getattr(one.adapter, "rank_pattern", None) is not None
    }
    if not patterned:
        return
    from study.models import empty_backbone
    from study.training.methods import count_trained

    empty = empty_backbone(info, num_labels=num_labels)
    for label, one in patterned.items():
        try:
            count_trained(one, empty)
        except InputError as error:
            raise InputError(f"{label}: {error}") from None


def preview(comparison: ComparisonRequest, rows: int) -> None:
    """Prints what is run on `rows` training sequences, by which steps are counted."""
    console, spec = Console(), comparison.spec
    runs = runs_of(spec)
    steps = {label: _steps(one, rows) for label, one in _by_label(runs).items()}
    total = sum(steps[run.configuration.label] for run in runs)
    saved = Prefixes(rows).saving(runs)
    lines = [
        f"runs       {len(runs)}: {'; '.join(_designs(spec))}",
        f"steps      {total:,}, of which {saved:,} ({saved / total:.0%}) are shared: runs that "
        "differ only in their mask share the steps before the first mask event",
        f"resources  {describe(spec.first.resources)} per run",
        *([_RESPLIT] if spec.first.task.resplit else []),
    ]
    print_lines(console, lines)
    _print_table(console, runs, steps)
    for label, notes in comparison.notes.items():
        print_lines(console, [f"{label}: {note}" for note in notes])


def _designs(spec: ComparisonSpec) -> list[str]:
    """Returns what is run, and the first seeds."""
    several, texts = len(spec.configurations), []
    if spec.pairs is not None:
        of = "runs of the configuration" if several == 1 else f"runs of {several} configurations"
        texts.append(
            f"{len(spec.pairs.init)} {of}, each with fresh seeds ({_first_seeds(spec.pairs)})"
        )
    crossed = spec.components or spec.seeds
    if crossed is not None:
        counts = " x ".join(f"{len(getattr(crossed, factor))} {factor}" for factor in FACTORS)
        of = f"{several} configurations" if spec.seeds else next(iter(spec.configurations))
        texts.append(
            f"{of} with {counts} seeds, crossed ({_first_seeds(crossed)}); without a random mask "
            "one run per init and data seed"
        )
    return texts


def _first_seeds(seeds: FactorSeeds) -> str:
    return ", ".join(f"{factor} from {own[0]}" for factor, own in seeds)


def _print_table(console: Console, runs: Sequence[ComparisonRun], steps: dict[str, int]) -> None:
    by_label = _by_label(runs)
    first = next(iter(by_label.values())).configuration
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("configuration", "method", "runs", "steps", "settings"):
        table.add_column(column, overflow="fold")
    for label, run in by_label.items():
        own = run.configuration
        count = sum(other.configuration.label == label for other in runs)
        settings = own.settings if own is first else _differences(first, own)
        shown = "  ".join(f"{k}={format_value(v)}" for k, v in settings.items() if k != "method")
        table.add_row(label, own.settings["method"], str(count), str(steps[label]), shown)
    console.print(table, highlight=False)


def _differences(first: Configuration, other: Configuration) -> dict[str, Any]:
    """Returns the settings of `other` that differ from those of `first`."""
    return {k: v for k, v in other.settings.items() if first.settings.get(k) != v}


def _by_label(runs: Sequence[ComparisonRun]) -> dict[str, ComparisonRun]:
    """Returns the first run of each configuration."""
    first: dict[str, ComparisonRun] = {}
    for run in runs:
        first.setdefault(run.configuration.label, run)
    return first


def _steps(run: ComparisonRun, train_rows: int) -> int:
    return make_plan(run.spec, train_rows, matrices=1).total_steps
