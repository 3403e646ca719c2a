"""The plan of a trial: steps, reports, learning rates and budget, known before it starts.

Computed from a resolved spec and the number of training rows only, by the same functions for the
dry run, the checks of a space and the training.
"""

from dataclasses import dataclass

from adapters.budget import CubicBudget
from study.spec import AdaLoraRSSpec, AdaLoraSpec, StudySpec
from study.spec.schema import report_step
from study.training.steps import count_steps, delta_steps


@dataclass(frozen=True)
class TrainingPlan:
    """The schedule of one trial in optimizer steps, counted from 1."""

    steps_per_epoch: int
    total_steps: int
    warmup_steps: int
    """Steps over which the learning rate rises (not the budget's warm-up)."""
    report_steps: tuple[int, ...]
    """The optimizer steps after which the dev split is evaluated; the last is `total_steps`."""
    budget: CubicBudget | None
    """None for methods without a rank allocator."""

    def learning_rate_factor(self, step: int) -> float:
        """Returns the factor in [0, 1] of the learning rate at step `step` >= 1.

        It rises linearly over the warm-up, then falls linearly to 0 at `total_steps` + 1.
        """
        if step <= self.warmup_steps:
            return step / self.warmup_steps
        return (self.total_steps - step + 1) / (self.total_steps - self.warmup_steps + 1)


def make_plan(spec: StudySpec, train_rows: int, matrices: int) -> TrainingPlan:
    """Returns the plan for `train_rows` rows and `matrices` adapted matrices."""
    training = spec.training
    steps_per_epoch, total_steps = count_steps(training, training.batch_size, train_rows)
    reports = min(training.reports, total_steps)
    return TrainingPlan(
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
        warmup_steps=round(training.warmup_ratio * total_steps),
        report_steps=tuple(report_step(k, reports, total_steps) for k in range(1, reports + 1)),
        budget=make_budget(spec, total_steps, matrices),
    )


def make_budget(spec: StudySpec, total_steps: int, matrices: int) -> CubicBudget | None:
    """Returns the budget schedule of an AdaLoRA spec, with `deltaT` in steps; else None."""
    adapter = spec.adapter
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        return None
    T = round((1 - adapter.final_fraction) * total_steps)
    ranks = tuple(rank for _, rank in adapter.rank_pattern or () if rank)
    return CubicBudget(
        total_steps=total_steps,
        b0=ranks or adapter.b0,
        bT=adapter.bT,
        matrices=len(ranks) or matrices,
        final_fraction=adapter.final_fraction,
        warmup_steps=adapter.warmup_steps,
        deltaT=delta_steps(adapter.deltaT, T),
    )
