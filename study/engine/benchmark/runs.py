"""The runs of a benchmark."""

from dataclasses import dataclass
from typing import Any

from study.errors import InputError
from study.spec import SeedsSpec, StudySpec
from study.spec.benchmark_loading import Benchmark
from study.spec.cells import Cell
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
