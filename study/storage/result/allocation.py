"""What schedule and random mask of a trial did, from the numbers in its reports."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from study.spec import StudySpec
from study.storage.record import TrialRecord
from study.storage.result.fields import Light

FEW = 1.5
"""Triplets per mask event: a random mask that changes no more on average has hardly an effect."""
OFF = 0.2
"""Share by which the rank at the end may differ from the budget without a remark."""


def allocation_lights(trial: TrialRecord, spec: StudySpec) -> list[Light]:
    """Returns the lights on schedule, mask and rank of a trial; none for other methods."""
    reports = [report.metrics for report in trial.reports if "budget" in report.metrics]
    if not reports or trial.state != "complete":
        return []
    found = (_schedule(trial, reports, spec), _mask(trial, reports, spec), _rank(trial, reports))
    return [light for light in found if light is not None]


def setting(name: str, trial: TrialRecord, spec: StudySpec) -> Any:
    """Returns a setting of the adapter, searched or fixed; None if the method has no such."""
    return trial.settings.get(name, getattr(spec.adapter, name, None))


def _schedule(
    trial: TrialRecord, reports: Sequence[Mapping[str, Any]], spec: StudySpec
) -> Light | None:
    b0, bT = (setting(name, trial, spec) for name in ("b0", "bT"))
    if b0 is None or bT is None or bT == b0 or len(reports) < 2:
        return None
    first, last = reports[0]["budget"], reports[-1]["budget"]
    if reports[-1].get("penalty_share") is None and first == last:
        text = (
            f"Trial {trial.number} had no mask event: its budget stayed at {last:,.0f} triplets."
        )
        return Light("schedule", "bad", text)
    text = f"The budget of trial {trial.number} fell to {last:,.0f} triplets."
    return Light("schedule", "ok", text)


def _mask(
    trial: TrialRecord, reports: Sequence[Mapping[str, Any]], spec: StudySpec
) -> Light | None:
    """A report has the numbers of the last mask event before it."""
    p = setting("p", trial, spec)
    events = [one for one in reports if one.get("penalty_share") is not None]
    if not p or not events:
        return None
    changes = statistics.fmean(one["dropped"] + one["reintroduced"] for one in events)
    text = (
        f"With p = {p:.3g} the random mask of trial {trial.number} changed {changes:.1f} triplets"
    )
    text += " per event"
    if changes <= FEW:
        return Light("mask", "warn", f"{text}: it had hardly an effect.")
    return Light("mask", "ok", f"{text}.")


def _rank(trial: TrialRecord, reports: Sequence[Mapping[str, Any]]) -> Light | None:
    last = reports[-1]
    budget, rank = last["budget"], last.get("rank")
    if not budget or rank is None:
        return None
    text = f"The rank of trial {trial.number} ended at {rank:,.0f} with a budget of {budget:,.0f}"
    if abs(rank / budget - 1) > OFF:
        why = "the random mask re-introduces triplets outside the budget"
        return Light("rank", "warn", f"{text}: {why}.")
    return Light("rank", "ok", f"{text}.")
