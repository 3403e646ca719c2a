"""The charts of time: what every worker did when, the best score so far, where the steps went."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.analysis.figure import Figure
from study.analysis.study.curves import best_so_far as best_of
from study.analysis.study.page_data import shown_trials
from study.analysis.study.reading import StudyData
from study.analysis.text import duration
from study.storage.events import Event, State, StudyResumed, TrialCrashed
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.words import STATE_WORDS
from study.storage.runs import label_of_trial


@dataclass(frozen=True)
class Span:
    """A training from its creation to its end, or to the last event if it is unfinished."""

    trial: int
    kind: str
    """`search` or `race`."""
    state: str
    start: float
    end: float
    """In minutes since the study was opened."""
    crashes: int


def timeline(study: StudyData) -> Figure | None:
    """Returns the chart of the trials over time, in lanes; None before the first trial."""
    if not study.trials:
        return None
    zero = study.events[0].time
    last = max(study.events[-1].time, (study.race.last or zero) if study.race else zero)
    spans = [_span(trial, "search", trial.number, zero, last) for trial in shown_trials(study)]
    if study.race is not None:
        spans += _race_spans(study, study.race, zero, last)
    spans.sort(key=lambda span: (span.start, span.trial))
    names = ("trial", "kind", "state", "start", "end", "crashes")
    columns: dict[str, Sequence[object]] = {"lane": _lanes(spans)}
    columns |= {name: [getattr(span, name) for span in spans] for name in names}
    crashes = _crashes(study.events, zero)
    thinned = "" if len(study.trials) == len(shown_trials(study)) else " Not all trials are shown."
    return Figure(
        name="timeline",
        columns=columns,
        heading="When did what run?",
        alt=f"bars of {len(spans)} trainings over time, by lane",
        caption="A bar is a training; those of the race are outlined. The journal does not name "
        "the workers: a lane holds trainings that did not overlap, and there are as many lanes as "
        "ran at once. A cross is a crash, after which the trial was tried again; a dashed line "
        f"the resumption of the study.{thinned}",
        options={
            "crashes": crashes,
            "resumed": [(e.time - zero) / 60 for e in study.events if isinstance(e, StudyResumed)],
        },
    )


def _race_spans(study: StudyData, record: StudyRecord, zero: float, last: float) -> list[Span]:
    numbers = {label_of_trial(trial): trial.number for trial in study.trials}
    return [
        _span(run, "race", numbers.get(str(run.labels.get("configuration")), -1), zero, last)
        for run in record.trials.values()
    ]


def _span(trial: TrialRecord, kind: str, number: int, zero: float, last: float) -> Span:
    end = last if trial.ended is None else trial.ended
    state = STATE_WORDS[trial.state]
    return Span(number, kind, state, (trial.created - zero) / 60, (end - zero) / 60, trial.crashes)


def _lanes(spans: Iterable[Span]) -> list[int]:
    """Returns the lane of each span, by start: the first lane that is free by then, from 1."""
    free: list[float] = []
    lanes = []
    for span in spans:
        lane = next((k for k, end in enumerate(free) if end <= span.start + 1e-6), len(free))
        free[lane : lane + 1] = [span.end]
        lanes.append(lane + 1)
    return lanes


def _crashes(events: Iterable[Event], zero: float) -> list[dict[str, object]]:
    return [
        {"trial": event.trial, "minute": (event.time - zero) / 60, "reason": event.reason}
        for event in events
        if isinstance(event, TrialCrashed)
    ]


def best_so_far(study: StudyData) -> Figure | None:
    """Returns the chart of the running best of complete trials; None before the first."""
    data = best_of(study)
    if not data.scores:
        return None
    best = dict(data.best)
    shown = {trial.number for trial in shown_trials(study)}
    rows = [(int(n), score, best.get(n)) for n, score in data.scores if n in shown]
    last = study.trials[-1].number
    final = data.best[-1][1] if data.best else None
    found = next((int(n) for n, score in data.best if score == final), last)
    return Figure(
        name="best_so_far",
        columns={
            "trial": [row[0] for row in rows],
            "score": [row[1] for row in rows],
            "best": [row[2] for row in rows],
        },
        heading="Would more trials help?",
        alt=f"running best {study.spec.objective} by trial number",
        caption=f"Dots: complete trials by number. Line: the best so far, last improved by trial "
        f"{found} of {last + 1}. The best of many noisy scores rises even if all settings are "
        "equally good.",
        options={"last": last},
    )


@dataclass(frozen=True)
class Spent:
    """Steps and minutes of training of trials with one outcome."""

    outcome: str
    trials: int
    steps: int
    minutes: float | None
    saved: bool


def spent(study: StudyData) -> list[Spent]:
    """Returns the training that was spent by outcome, and what early stopping saved.

    The minutes are those of training and evaluation; those that were saved are estimated from the
    pace of each stopped trial.
    """
    states: tuple[State, ...] = ("complete", "pruned", "failed", "running")
    groups = {STATE_WORDS[state]: study.record.in_state(state) for state in states}
    groups["race"] = list(study.race.trials.values()) if study.race else []
    rows = [_spent(outcome, trials) for outcome, trials in groups.items() if trials]
    stopped = [trial for trial in study.record.in_state("pruned") if _steps(trial)]
    if stopped:
        steps = sum(trial.total_steps - _steps(trial) for trial in stopped)
        left = [
            minutes * (trial.total_steps / _steps(trial) - 1)
            for trial in stopped
            if (minutes := _minutes(trial)) is not None
        ]
        rows.append(Spent("not spent", len(stopped), steps, sum(left) if left else None, True))
    return rows


def _spent(outcome: str, trials: Sequence[TrialRecord]) -> Spent:
    known = [minutes for trial in trials if (minutes := _minutes(trial)) is not None]
    steps = sum(_steps(trial) for trial in trials)
    return Spent(outcome, len(trials), steps, sum(known) if known else None, False)


def spending(study: StudyData) -> Figure | None:
    """Returns the chart of the steps by outcome; None if nothing was stopped early."""
    rows = spent(study)
    saved = next((row for row in rows if row.saved), None)
    if saved is None:
        return None
    total = sum(row.steps for row in rows if row.outcome != "race")
    time = (
        "" if saved.minutes is None else f" and about {duration(60 * saved.minutes)} of one worker"
    )
    names = ("outcome", "trials", "steps", "minutes")
    return Figure(
        name="spending",
        columns={name: [getattr(row, name) for row in rows] for name in names},
        heading="What did early stopping save?",
        alt="training steps by outcome of the trials",
        caption=f"Early stopping of {saved.trials} trials saved {saved.steps:,} steps{time}: "
        f"{saved.steps / total:.0%} of what all trials would have needed. What it cost is not "
        "known: a stopped trial might have become the best.",
        options={},
    )


def _steps(trial: TrialRecord) -> int:
    return trial.reports[-1].step if trial.reports else 0


def _minutes(trial: TrialRecord) -> float | None:
    seconds = trial.seconds
    return None if seconds is None else seconds / 60
