"""What may follow what in a journal: rules between an event and those before it.

A running study keeps to them. A journal that breaks one has lost, doubled or edited lines, and no
reader accepts it: not the report, the doctor, a warm start or a resume.
"""

from collections.abc import Iterator
from functools import singledispatch

from study.spec import StudySpec, parameter_name
from study.spec.domains import fit
from study.spec.schema import report_step
from study.storage.events import (
    Decision,
    EarlierTrial,
    Event,
    RaceDecided,
    Report,
    StudyOpened,
    TrialAudited,
    TrialCrashed,
    TrialCreated,
    TrialEnded,
    TrialStalled,
    TrialWarning,
    WarmStart,
    WinnerEvaluated,
)
from study.storage.race import finalists_of, ranked, rounds
from study.storage.record import STATE_AFTER, StudyRecord, TrialRecord

STREAMS = {"init", "data", "mask"}
"""The random streams of a trial that have a seed."""


def fault(record: StudyRecord, event: Event) -> str | None:
    """Returns the rule that an event breaks and what was found; None if it may come next.

    `record` is the state after the events before it.
    """
    first = record.began is None
    if first != isinstance(event, StudyOpened):
        found = "one later" if not first else f"`{getattr(event, 'event', 'another')}` first"
        return f"the first event must be `study`, and no other, but got {found}"
    return next(_faults(event, record), None)


@singledispatch
def _faults(event: Event, record: StudyRecord) -> Iterator[str]:
    """Yields what is wrong with an event; nothing for events that may come at any time."""
    yield from ()


@_faults.register
def _created(event: TrialCreated, record: StudyRecord) -> Iterator[str]:
    if event.trial != len(record.trials):
        yield (
            f"trials must be created as 0, 1, 2 and so on, but got trial {event.trial} as number "
            f"{len(record.trials)}"
        )
    if event.reports > event.total_steps:
        yield (
            f"a trial must have at most as many reports as steps, but got {event.reports} reports "
            f"and {event.total_steps} steps"
        )
    if event.seeds and event.seeds.keys() != STREAMS:
        yield f"seeds must be those of init, data and mask, but got {', '.join(event.seeds)}"


@_faults.register
def _report(event: Report, record: StudyRecord) -> Iterator[str]:
    yield from _not_running(event, record)
    trial = record.trials[event.trial]
    done, planned = len(trial.reports), trial.reports_planned
    if event.report != done + 1:
        yield (
            f"reports must come as 1, 2, 3 and so on, but got report {event.report} as number "
            f"{done + 1}"
        )
    if event.report > planned:
        yield f"a trial must have its {planned} planned reports, but got report {event.report}"
    if record.decides and len(trial.decisions) < done:
        yield f"every report must have its decision, but got none on report {done}"
    before = trial.reports[-1] if trial.reports else None
    for one, early in ((before, False), (event, event.metrics.get("train_loss") is None)):
        step = 0 if one is None else report_step(one.report, planned, trial.total_steps)
        least = 0 if before is None else before.step
        if one is not None and one.step != step and not (early and least < one.step < step):
            yield (
                f"report {one.report} of {planned} must come at step {step} of "
                f"{trial.total_steps}, but got step {one.step}"
            )


@_faults.register
def _decision(event: Decision, record: StudyRecord) -> Iterator[str]:
    yield from _not_running(event, record)
    trial = record.trials[event.trial]
    reports, decided = len(trial.reports), len(trial.decisions)
    if not event.report == reports == decided + 1:
        yield (
            "every report must have its decision, and one, but got a decision on report "
            f"{event.report} after {reports} reports and {decided} decisions"
        )


@_faults.register
def _crashed(event: TrialCrashed, record: StudyRecord) -> Iterator[str]:
    yield from _not_running(event, record)
    crashes = record.trials[event.trial].crashes
    if event.attempt not in (crashes, crashes + 1):
        yield f"attempt must be {crashes} or {crashes + 1}, but got {event.attempt}"


@_faults.register
def _ended(event: TrialEnded, record: StudyRecord) -> Iterator[str]:
    yield from _not_running(event, record)
    trial = record.trials[event.trial]
    last = trial.decisions[-1].decision if trial.decisions else None
    if record.decides and len(trial.decisions) < len(trial.reports):
        yield f"every report must have its decision, but got none on report {len(trial.reports)}"
    if record.decides and event.state != STATE_AFTER.get(last or "", "failed"):
        yield f"the state must be that of the last decision, {last}, but got {event.state}"


@_faults.register
def _warning(event: TrialWarning, record: StudyRecord) -> Iterator[str]:
    yield from _unknown([event.trial], record)


@_faults.register
def _stalled(event: TrialStalled, record: StudyRecord) -> Iterator[str]:
    yield from _not_running(event, record)


@_faults.register
def _audited(event: TrialAudited, record: StudyRecord) -> Iterator[str]:
    yield from _unknown([event.trial], record)
    trial = record.trials[event.trial]
    if trial.state != "pruned" or trial.audited is not None:
        found = "a second audit of" if trial.audited else f"the {trial.state}"
        yield f"an audited trial must have been stopped early, but got {found} trial {event.trial}"


@_faults.register
def _race(event: RaceDecided, record: StudyRecord) -> Iterator[str]:
    yield from _not_complete([event.winner, *event.candidates], record)
    sizes = [size for size, _ in rounds(len(event.candidates))]
    if [len(trials) for trials in event.rounds] != sizes:
        found = [len(trials) for trials in event.rounds]
        yield f"the rounds of a race must have {sizes} trials, but got {found}"
    for trials, before in zip(
        [*event.rounds, [event.winner]], [event.candidates, *event.rounds], strict=True
    ):
        if len(set(trials)) < len(trials) or not set(trials) <= set(before):
            yield f"a round must have trials of the one before, but got {trials} after {before}"


@_faults.register
def _winner(event: WinnerEvaluated, record: StudyRecord) -> Iterator[str]:
    yield from _not_complete([event.trial, *finalists_of(event)], record)
    if event.trial not in finalists_of(event):
        yield f"the winner must be of the race, but got {event.trial}, which is not in it"


def _unknown(trials: list[int], record: StudyRecord) -> Iterator[str]:
    for trial in trials:
        if trial not in record.trials:
            yield f"its trial must have been created before, but got trial {trial}, which was not"


def _not_running(
    event: Report | Decision | TrialCrashed | TrialStalled | TrialEnded, record: StudyRecord
) -> Iterator[str]:
    yield from _unknown([event.trial], record)
    trial = record.trials[event.trial]
    if trial.state != "running":
        yield f"a trial must have no events after its end, but got one that is {trial.state}"
    last = trial.decisions[-1].decision if trial.decisions else None
    if last in STATE_AFTER and not isinstance(event, TrialEnded):
        yield f"a trial must end after its last decision, but got more after the decision {last}"


def _not_complete(trials: list[int], record: StudyRecord) -> Iterator[str]:
    yield from _unknown(trials, record)
    for number in trials:
        trial = record.trials[number]
        if trial.state != "complete" or trial.value is None:
            yield f"a winner's candidates must be complete, but got trial {number}: {trial.state}"


# Rules between a study's journal and its spec


def winner_fault(event: WinnerEvaluated, record: StudyRecord, spec: StudySpec) -> str | None:
    """Returns what is wrong with the choice of a winner: it was not made among the best."""
    raced = finalists_of(event)
    first = [trial.number for trial in ranked(record, spec.goals)[: len(raced)]]
    if set(raced) == set(first):
        return None
    return f"the winner must be chosen from the best trials, {first}, but got one of {raced}"


def spec_fault(record: StudyRecord, spec: StudySpec) -> str | None:
    """Returns what does not fit between all trials of a study and its spec; None if all does."""
    domains = {parameter_name(leaf, domain): domain for leaf, domain in spec.domains.items()}
    earlier: list[TrialRecord | EarlierTrial] = []
    if isinstance(record.warm_start, WarmStart):
        earlier += record.warm_start.results
        for one in record.warm_start.results:
            if (one.values is None) != (one.state == "pruned") or (
                one.values is not None and len(one.values) != len(spec.goals.objectives)
            ):
                return "an earlier result must have a value of each objective, but got others"
    for trial in [*earlier, *record.trials.values()]:
        number = trial.trial if isinstance(trial, EarlierTrial) else trial.number
        if trial.params.keys() != domains.keys():
            return (
                f"params of trial {number} must be {', '.join(domains) or 'none'}, but got "
                f"{', '.join(trial.params) or 'none'}"
            )
        for name, value in trial.params.items():
            try:
                fit(domains[name], value)
            except ValueError as error:
                return f"params.{name} of trial {number} {error}"
    for trial in record.trials.values():
        if not trial.settings.keys() >= spec.domains.keys():
            return (
                f"settings of trial {trial.number} must have {', '.join(spec.domains)}, but got "
                f"{', '.join(trial.settings) or 'none'}"
            )
        for leaf, domain in spec.domains.items():
            value, given = trial.settings[leaf], trial.params.get(leaf)
            is_ratio = parameter_name(leaf, domain) != leaf
            if type(value) not in (int, float) if is_ratio else value != given:
                return (
                    f"settings.{leaf} of trial {trial.number} must be "
                    f"{'a number' if is_ratio else given}, but got {value!r:.60}"
                )
        if trial.point is not None and trial.point >= len(spec.points):
            return f"point must be below {len(spec.points)}, but got {trial.point}"
    return None
