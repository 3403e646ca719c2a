"""The runs of a benchmark."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.spec import SeedsSpec, StudySpec
from study.spec.benchmark.cells import Cell
from study.spec.benchmark.loading import Benchmark, load_benchmark
from study.storage.opening import Changes
from study.training.steps import check_schedules

_TASK = {"path", "revision", "max_length", "dedup", "rc_augment", "rc_average"}


@dataclass(frozen=True)
class Run:
    """One cell with one seed; a baseline has none."""

    cell: Cell
    seed: int | None

    @property
    def spec(self) -> StudySpec:
        """A study of one trial, its seed in all three streams and in random weights."""
        if self.seed is None:
            return self.cell.spec
        spec, seed = self.cell.spec, self.seed
        backbone = spec.backbone.model_copy(update={"weights_seed": seed})
        changed: dict[str, Any] = {"seeds": SeedsSpec(init=seed, data=seed, mask=seed)}
        changed |= {"backbone": backbone} if spec.backbone.weights == "random" else {}
        return spec.model_copy(update=changed)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the result, by leaf name; of a baseline what its task is."""
        spec = self.cell.spec
        task = spec.task.model_dump(mode="json", include=_TASK, exclude_none=True)
        told = {"task_name": spec.task.name, **task}
        if self.cell.is_baseline:
            return told
        adapter = spec.adapter.model_dump(mode="json", exclude={"method"}, exclude_none=True)
        left_out = {"steps", "reports", "eval_batch_size"}
        training = spec.training.model_dump(mode="json", exclude=left_out, exclude_none=True)
        backbone = {"backbone_name": spec.backbone.name, "weights": spec.backbone.weights}
        values = {**told, **backbone, "dtype": spec.backbone.dtype, **adapter, **training}
        return {k: " ".join(v) if isinstance(v, list) else v for k, v in values.items()}

    @property
    def labels(self) -> dict[str, str | int | None]:
        """What it is known by, whatever else there is beside it."""
        cell = self.cell
        return {
            "backbone": cell.backbone,
            "task": cell.task,
            "method": cell.method,
            "seed": self.seed,
        }

    @property
    def seeds(self) -> dict[str, int]:
        """The seed by stream; a baseline has none."""
        return {} if self.seed is None else self.spec.seeds.model_dump()


def runs_of(benchmark: Benchmark) -> list[Run]:
    """All runs: baselines first, then backbone by backbone, a task's seeds and methods together.

    All methods of a seed come before the next seed, so that an interrupted benchmark compares
    methods on equal seeds.
    """
    baselines = [Run(cell, None) for cell in benchmark.cells if cell.is_baseline]
    others = [cell for cell in benchmark.cells if not cell.is_baseline]
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in others:
        groups.setdefault((cell.backbone, cell.task), []).append(cell)
    return baselines + [
        Run(cell, seed)
        for cells in groups.values()
        for seed in benchmark.spec.seeds
        for cell in cells
    ]


def check_cell(cell: Cell, train_rows: int) -> None:
    """Refuses a cell without a mask event before T, or with fewer steps than reports.

    Raises:
        InputError: it is one; names the cell.
    """
    try:
        check_schedules(cell.spec, train_rows)
    except InputError as error:
        raise InputError(f"{error} (of {cell.named})") from None


def changes_of_benchmark(now: Benchmark) -> Changes:
    """What is missing or set otherwise than before; more cells and seeds are welcome.

    How many resources are used may change.
    """

    def changes(file: Path) -> list[str]:
        before = load_benchmark(str(file))
        after = _settings(now)
        found = [
            f"{what} ({'left out' if what not in after else 'set otherwise'})"
            for what, settings in _settings(before).items()
            if after.get(what) != settings
        ]
        more = [f"and {len(found) - 3} more"] if len(found) > 3 else []
        return ["; ".join([*found[:3], *more])] if found else []

    return changes


def _settings(benchmark: Benchmark) -> dict[str, object]:
    """Of every cell and seed by name: what decides its results."""
    cells: dict[str, object] = {
        cell.named: cell.spec.model_dump(exclude={"resources", "search", "scheduler"})
        for cell in benchmark.cells
    }
    return cells | {f"seed {seed}": seed for seed in benchmark.spec.seeds}
