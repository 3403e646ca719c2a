"""The snapshot of a study, a benchmark or a comparison from its record."""

import statistics
from collections.abc import Mapping
from typing import Any

from study.spec import StudySpec
from study.spec.rungs import rungs
from study.spec.space import planned_trials
from study.storage.events import State
from study.storage.live.snapshot import Ended, Group, Kind, Phase, Rung, Running, Snapshot
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.building import study_result
from study.storage.result.time_left import TimeLeft, runs_time_left, study_time_left
from study.storage.result.words import STATE_WORDS
from study.storage.runs import latest_trials

NAMES: dict[State, str] = {
    state: "running" if state == "running" else word.replace(" ", "_")
    for state, word in STATE_WORDS.items()
}
"""State in the journal -> its name in a snapshot: pruned -> stopped_early."""
LATEST = 20
"""Ended trials in a snapshot."""
_CELL = ("backbone", "task", "method")


def study_snapshot(
    name: str,
    spec: StudySpec,
    record: StudyRecord,
    race: StudyRecord | None,
    now: float,
    workers: int | None = None,
) -> Snapshot:
    """Returns the snapshot of a study.

    Args:
        name: of the study.
        spec: its present spec.
        record: its trials.
        race: the runs of its race, None before it began.
        now: seconds since the epoch.
        workers: trials that run at once, if that is known.
    """
    result = study_result(record, spec, race, name)
    left = None
    if result.phase not in ("finished", "failed"):
        left = study_time_left(spec, record, race, now, workers)
    of_race = None
    if race is not None and race.trials:
        planned = result.race.runs_planned if result.race else len(race.trials)
        of_race = _of_runs("race", "finalists", race, planned, now, result.phase, None)
    return Snapshot(
        kind="study",
        phase=result.phase,
        planned=planned_trials(spec),
        time_left=left,
        headline=result.headline,
        health=result.health,
        rungs=_rungs(record, rungs(spec)),
        race=of_race,
        **_common(name, record, now, result.phase, race),
    )


def runs_snapshot(
    kind: Kind,
    name: str,
    record: StudyRecord,
    planned: int,
    now: float,
    workers: int | None = None,
) -> Snapshot:
    """Returns the snapshot of a benchmark, a comparison or a race with `planned` runs."""
    latest = latest_trials(record).values()
    over = sum(trial.state != "running" for trial in latest)
    phase: Phase = "finished" if over >= planned else "runs"
    left = None if phase == "finished" else runs_time_left(planned, record, now, workers)
    return _of_runs(kind, name, record, planned, now, phase, left)


def _of_runs(
    kind: Kind,
    name: str,
    record: StudyRecord,
    planned: int,
    now: float,
    phase: Phase,
    left: TimeLeft | None,
) -> Snapshot:
    common = _common(name, record, now, phase)
    return Snapshot(
        kind=kind, phase=phase, planned=planned, time_left=left, groups=_groups(record), **common
    )


def _common(
    name: str, record: StudyRecord, now: float, phase: Phase, race: StudyRecord | None = None
) -> dict[str, Any]:
    """Returns the fields that snapshots of all kinds have."""
    trials = list(record.trials.values())
    ended = sorted(
        (t for t in trials if t.ended is not None), key=lambda t: t.ended or 0.0, reverse=True
    )
    last = max((one.last for one in (record, race) if one and one.last), default=None)
    until = last if phase in ("finished", "failed") and last is not None else now
    memory = [
        float(value)
        for report in record.reports
        if (value := report.metrics.get("peak_memory_gib")) is not None
    ]
    return {
        "name": name,
        "metric": record.metric,
        "counts": {word: len(record.in_state(state)) for state, word in NAMES.items()},
        "began": record.began,
        "last_event": last,
        "seconds": 0.0 if record.began is None else max(0.0, until - record.began),
        "per_hour": _per_hour(ended),
        "peak_memory_gib": max(memory, default=None),
        "running": [_running(trial, now) for trial in trials if trial.state == "running"],
        "ended": [_ended(trial) for trial in ended[:LATEST]],
        "failures": _failures(record),
    }


def _per_hour(ended: list[TrialRecord]) -> float | None:
    """Returns the rate of the latest trials to end, from the creation of the first of them."""
    recent = ended[:LATEST]
    if not recent:
        return None
    idle = max(trial.idle for trial in recent)
    passed = (recent[0].ended or 0.0) - min(trial.created for trial in recent) - idle
    return 3600 * len(recent) / passed if passed > 0 else None


def _running(trial: TrialRecord, now: float) -> Running:
    return Running(
        trial=trial.number,
        labels=labels_of(trial),
        reports=len(trial.reports),
        planned=trial.reports_planned,
        # Runs of a race are scored at their last report only.
        curve=[one.metrics[trial.metric] for one in trial.reports if trial.metric in one.metrics],
        seconds=max(0.0, now - trial.created - trial.idle),
        stalled_minutes=trial.stalled.minutes if trial.stalled else None,
    )


def _ended(trial: TrialRecord) -> Ended:
    return Ended(
        trial=trial.number,
        state=NAMES[trial.state],
        labels=labels_of(trial),
        reports=len(trial.reports),
        planned=trial.reports_planned,
        score=trial.value,
        reason=trial.reason,
        time=trial.ended or 0.0,
    )


def labels_of(trial: TrialRecord) -> Mapping[str, Any]:
    """Returns a trial's settings; of a run its labels, as it has many settings."""
    return dict(trial.labels) if is_run(trial) else trial.settings


def is_run(trial: TrialRecord) -> bool:
    """Whether a trial is a run of a benchmark, a comparison or a race."""
    return "configuration" in trial.labels or "method" in trial.labels


def _rungs(record: StudyRecord, reports: list[int]) -> list[Rung]:
    """Returns how many trials each rung has let through."""
    ladder = []
    for report in reports:
        decisions = [
            decision
            for trial in record.trials.values()
            for decision in trial.decisions
            if decision.report == report
        ]
        stopped = sum(decision.decision == "stop" for decision in decisions)
        failed = sum(decision.decision == "fail" for decision in decisions)
        cutoffs = [one.cutoff for one in decisions if one.cutoff is not None]
        passed = len(decisions) - stopped - failed
        ladder.append(Rung(report, passed, stopped, cutoffs[-1] if cutoffs else None))
    return ladder


def _failures(record: StudyRecord) -> dict[str, list[int]]:
    reasons: dict[str, list[int]] = {}
    for trial in record.in_state("failed"):
        reasons.setdefault(trial.reason or "no reason was recorded", []).append(trial.number)
    return reasons


def _groups(record: StudyRecord) -> list[Group]:
    """Returns the runs by configuration or cell, those with the most recent run first."""
    by_label: dict[str, list[TrialRecord]] = {}
    for trial in latest_trials(record).values():
        by_label.setdefault(_group_label(trial), []).append(trial)
    newest = sorted(by_label.items(), key=lambda one: -max(t.number for t in one[1]))
    return [_group(label, trials) for label, trials in newest]


def _group_label(trial: TrialRecord) -> str:
    labels = trial.labels
    if "configuration" in labels:
        return str(labels["configuration"])
    return " · ".join(str(labels[name]) for name in _CELL if labels.get(name))


def _group(label: str, trials: list[TrialRecord]) -> Group:
    scores = [t.value for t in trials if t.state == "complete" and t.value is not None]
    return Group(
        label=label,
        ended=sum(trial.state != "running" for trial in trials),
        failed=sum(trial.state == "failed" for trial in trials),
        mean=statistics.fmean(scores) if scores else None,
        deviation=statistics.stdev(scores) if len(scores) > 1 else None,
    )
