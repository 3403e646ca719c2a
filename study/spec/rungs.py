"""The reports at which ASHA decides, as a function of the spec."""

import math

from study.spec.schema import StudySpec


def first_rung(spec: StudySpec) -> int:
    """Returns the report index of ASHA's first rung; without ASHA that of the last report."""
    reports = int(spec.training.reports)
    if spec.scheduler.name == "none":
        return reports
    return rung_at(spec.scheduler.grace_fraction, reports)


def rung_at(grace_fraction: float, reports: int) -> int:
    """Returns the first report that is not before `grace_fraction` of all."""
    # Rounded first: in floating point, 0.07 of 100 reports is a little more than 7.
    return max(1, math.ceil(round(grace_fraction * reports, 6)))


def rungs(spec: StudySpec) -> list[int]:
    """Returns the report indices at which ASHA decides, ascending; empty without ASHA.

    Reports are spaced evenly over the steps of a trial, so a rung is the same fraction of every
    trial's schedule, whatever its number of steps.
    """
    if spec.scheduler.name == "none":
        return []
    reports, factor = int(spec.training.reports), float(spec.scheduler.reduction_factor)
    indices, rung = [], float(first_rung(spec))
    while rung < reports:
        indices.append(math.ceil(rung))
        rung *= factor
    return indices
