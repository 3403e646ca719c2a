"""At which reports ASHA decides, and whether a space allows a rung there."""

import math

from study.errors import InputError
from study.spec import StudySpec
from study.training.steps import first_pruned_report, report_step


def first_rung(spec: StudySpec) -> int:
    """Returns the report index of ASHA's first rung; the last report where there is no ASHA."""
    reports = int(spec.training.reports)
    if spec.scheduler.name == "none":
        return reports
    return _rung_at(spec.scheduler.grace_fraction, reports)


def _rung_at(grace_fraction: float, reports: int) -> int:
    # Rounded first: 0.07 of 100 reports is a hair more than 7.
    return max(1, math.ceil(round(grace_fraction * reports, 6)))


def check_first_rung(spec: StudySpec, train_rows: int) -> None:
    """Refuses a space in which some trial would meet a rung before its first mask event.

    Until then p, b0, bT, deltaT and the betas have had next to no effect: the rung would compare
    little but learning rates. `train_rows` are the sequences in train.

    Raises:
        InputError: so it is.
    """
    needed = first_pruned_report(spec, train_rows)
    if needed is None or not rungs(spec) or rungs(spec)[0] >= needed[0]:
        return
    first, reports = rungs(spec)[0], spec.training.reports
    report, worst = needed
    step = report_step(first, reports, worst.total_steps)
    raise InputError(
        "scheduler.grace_fraction: no rung may come before a trial's first mask event, but with "
        f"deltaT = {worst.deltaT} of {worst.total_steps} steps, warmup_steps = "
        f"{worst.warmup_steps} and batch_size = {worst.batch_size} the first event is at step "
        f"{worst.first_event} and the first rung at step {step} (report {first} of {reports}); "
        f"raise grace_fraction to {smallest_grace(report, reports):g}, the smallest that works in "
        "this space, or lower deltaT"
    )


def smallest_grace(rung: int, reports: int) -> float:
    """Returns a short grace_fraction that puts the first rung at report `rung`."""
    for digits in range(2, 12):
        grace = math.floor(rung / reports * 10.0**digits) / 10.0**digits
        if grace > 0 and _rung_at(grace, reports) == rung:
            return grace
    return rung / reports


def rungs(spec: StudySpec) -> list[int]:
    """Returns the report indices at which ASHA decides, ascending; empty without ASHA.

    Reports are spaced evenly over a trial's own steps, so a rung is the same fraction of every
    trial's schedule, however many steps it has.
    """
    if spec.scheduler.name == "none":
        return []
    reports, factor = int(spec.training.reports), float(spec.scheduler.reduction_factor)
    found, rung = [], float(first_rung(spec))
    while rung < reports:
        found.append(math.ceil(rung))
        rung *= factor
    return found


def compared_at(spec: StudySpec) -> list[int]:
    """Returns the report indices at which trials are also scored at their final budget.

    Those are the rungs; without ASHA all reports, so that a study may record what rungs would see.
    """
    if spec.scheduler.score == "plain":
        return []
    return rungs(spec) or list(range(1, spec.training.reports + 1))
