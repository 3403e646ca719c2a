"""The runs of a benchmark."""

from dataclasses import dataclass
from typing import Any

from study.errors import InputError
from study.spec import SeedsSpec, StudySpec
from study.spec.benchmark.cells import Cell
from study.spec.benchmark.loading import Benchmark, load_benchmark
from study.spec.leaves import cell_of
from study.spec.rank_pattern import shortened
from study.storage.opening import Changes
from study.storage.stored import StoredStudy
from study.training.class_weights import check_class_weights
from study.training.peft.check import check_peft
from study.training.steps import check_schedules

_TASK = {"path", "revision", "max_length", "dedup", "rc_augment", "rc_average"}


@dataclass(frozen=True)
class BenchmarkRun:
    """One cell with one seed; None for a baseline, which has no seed."""

    cell: Cell
    seed: int | None

    @property
    def spec(self) -> StudySpec:
        """The cell's study of one trial, with the seed in all streams and in random weights."""
        if self.seed is None:
            return self.cell.spec
        spec, seed = self.cell.spec, self.seed
        backbone = spec.backbone.model_copy(update={"weights_seed": seed})
        update: dict[str, Any] = {"seeds": SeedsSpec(init=seed, data=seed, mask=seed)}
        update |= {"backbone": backbone} if spec.backbone.weights == "random" else {}
        return spec.model_copy(update=update)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that decide the result, by leaf name; of a baseline those of its task."""
        spec = self.cell.spec
        task = spec.task.model_dump(mode="json", include=_TASK, exclude_none=True)
        task_settings = {"task_name": spec.task.name, **task}
        if self.cell.is_baseline:
            return task_settings
        adapter = shortened(
            spec.adapter.model_dump(mode="json", exclude={"method"}, exclude_none=True)
        )
        excluded = {"steps", "reports", "eval_batch_size"}
        training = spec.training.model_dump(mode="json", exclude=excluded, exclude_none=True)
        source = {"backbone_name": spec.backbone.name, "weights": spec.backbone.weights}
        backbone = {**source, "dtype": spec.backbone.dtype, **spec.backbone.changed}
        values = {**task_settings, **backbone, **adapter, **training}
        return {name: cell_of(value) for name, value in values.items()}

    @property
    def labels(self) -> dict[str, str | int | None]:
        """The fields that identify the run in its benchmark."""
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


def runs_of(benchmark: Benchmark) -> list[BenchmarkRun]:
    """Returns all runs: baselines first, then by backbone, task, seed and method.

    All methods of a seed come before the next seed, so that an interrupted benchmark compares
    methods on equal seeds.
    """
    baselines = [BenchmarkRun(cell, None) for cell in benchmark.cells if cell.is_baseline]
    others = [cell for cell in benchmark.cells if not cell.is_baseline]
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in others:
        groups.setdefault((cell.backbone, cell.task), []).append(cell)
    return baselines + [
        BenchmarkRun(cell, seed)
        for cells in groups.values()
        for seed in benchmark.spec.seeds
        for cell in cells
    ]


def check_cell(cell: Cell, train_rows: int, classes: int) -> None:
    """Checks a cell's mask events, number of reports, weights of classes and PEFT's arguments.

    Raises:
        InputError: they do not fit the data; the message names the cell.
    """
    try:
        check_schedules(cell.spec, train_rows)
        check_class_weights(cell.spec.training, cell.task, classes)
        check_peft(cell.spec)
    except InputError as error:
        raise InputError(f"{error} (of {cell.named})") from None


def changes_of_benchmark(now: Benchmark) -> Changes:
    """Returns how a folder's benchmark differs: cells and seeds left out or set otherwise.

    Further cells and seeds, and other resources, are no difference.
    """

    def changes(stored: StoredStudy) -> list[str]:
        before = load_benchmark(str(stored.folder.spec), stored=True)
        after = _settings(now)
        differences = [
            f"{what} ({'left out' if what not in after else 'set otherwise'})"
            for what, settings in _settings(before).items()
            if after.get(what) != settings
        ]
        more = [f"and {len(differences) - 3} more"] if len(differences) > 3 else []
        return ["; ".join([*differences[:3], *more])] if differences else []

    return changes


def _settings(benchmark: Benchmark) -> dict[str, object]:
    """Returns the settings that decide the results, by the name of the cell or seed."""
    cells: dict[str, object] = {
        cell.named: cell.spec.model_dump(exclude={"resources", "search", "scheduler"})
        for cell in benchmark.cells
    }
    return cells | {f"seed {seed}": seed for seed in benchmark.spec.seeds}
