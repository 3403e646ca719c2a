"""The reports at which ASHA decides (rungs), and the check that a space allows them."""

import math

from study.errors import InputError
from study.spec import StudySpec
from study.spec.rungs import rung_at, rungs
from study.spec.schema import report_step
from study.training.steps import first_pruned_report


def check_first_rung(spec: StudySpec, train_rows: int) -> None:
    """Checks that no trial of a space reaches a rung before its first mask event.

    Before it p, b0, bT, deltaT and the betas have hardly any effect, so a rung would mostly
    compare learning rates. `train_rows` is the number of training sequences.

    Raises:
        InputError: some trial would.
    """
    needed = first_pruned_report(spec, train_rows)
    if needed is None or not rungs(spec) or rungs(spec)[0] >= needed[0]:
        return
    first, reports = rungs(spec)[0], spec.training.reports
    report, worst = needed
    step = report_step(first, reports, worst.total_steps)
    raise InputError(
        "scheduler.grace_fraction: the first rung must not precede a trial's first mask event, "
        "but got "
        f"the first event at step {worst.first_event} and the first rung at step {step} (report "
        f"{first} of {reports}) with deltaT = {worst.deltaT} of {worst.total_steps} steps, "
        f"warmup_steps = {worst.warmup_steps} and batch_size = {worst.batch_size}; raise "
        f"grace_fraction to {smallest_grace(report, reports):g}, the smallest valid value for "
        "this space, or lower deltaT"
    )


def smallest_grace(rung: int, reports: int) -> float:
    """Returns a grace_fraction with few digits that puts the first rung at report `rung`."""
    for digits in range(2, 12):
        grace = math.floor(rung / reports * 10.0**digits) / 10.0**digits
        if grace > 0 and rung_at(grace, reports) == rung:
            return grace
    return rung / reports


def final_budget_reports(spec: StudySpec) -> list[int]:
    """Returns the report indices at which trials are also evaluated at their final budget.

    These are the rungs; without ASHA all reports, so that the scores that ASHA would compare are
    recorded as well.
    """
    if spec.scheduler.score == "plain":
        return []
    return rungs(spec) or list(range(1, spec.training.reports + 1))
