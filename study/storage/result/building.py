"""Builds the result of a study from its records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from study.spec import StudySpec
from study.spec.space import planned_trials
from study.storage.auditing import awaiting
from study.storage.events import MetricValues, WinnerEvaluated
from study.storage.folder import StudyFolder
from study.storage.race import candidates, finalists_of
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.as_good import as_good
from study.storage.result.collapse import Scores, collapsed
from study.storage.result.estimates import Estimate, estimate
from study.storage.result.fields import Headline, Phase, StudyResult, TrialResult
from study.storage.result.health import with_health
from study.storage.result.racing import RaceSoFar, race_scores
from study.storage.result.stopping import early_stopping
from study.storage.result.words import STATE_WORDS
from study.storage.stored import StoredStudy


@dataclass(frozen=True)
class Samples:
    """What scores are measured on."""

    rows: Mapping[str, int]
    """By split; empty if the journal does not have them."""
    classes: int


def read_result(stored: StoredStudy) -> StudyResult:
    """Returns the result of a study folder that has been read, with the race that runs in it.

    Raises:
        InputError: as `StoredStudy.study_record`, of the study and of its race.
    """
    record, spec = stored.study_record(), stored.spec
    race = read_race(stored.folder, record.metric)
    return study_result(record, spec, race, stored.folder.path.name)


def read_race(folder: StudyFolder, metric: str) -> StudyRecord | None:
    """Returns the record of the race in a study folder; None before it begins.

    Raises:
        InputError: its journal is damaged, or of a newer version of this package.
    """
    inner = StudyFolder(folder.finalists)
    return StoredStudy.read(inner).record(metric) if inner.journal.is_file() else None


def study_result(
    record: StudyRecord, spec: StudySpec, race: StudyRecord | None = None, name: str = ""
) -> StudyResult:
    """Returns the result of a study.

    Args:
        record: of the study.
        spec: of the study, as it is now.
        race: the record of its race, see `read_race`. Without it a race is known when it is over.
        name: of a study whose journal does not have it.
    """
    samples, scores = _samples(record), race_scores(record, spec, race)
    headline = _headline(record, spec, samples)
    trials = [_trial(one, spec, scores) for _, one in sorted(record.trials.items())]
    equal = as_good(trials, headline, scores, spec.goals.objectives[0])
    phase, stopping = _phase(record, spec), early_stopping(record, spec)
    result = StudyResult(
        name=(record.opened and record.opened.name) or name,
        phase=phase,
        why_none=record.why_no_winner(spec.goals) if phase == "failed" else "",
        metric=spec.objective,
        maximize=spec.goals.objectives[0].maximize,
        test_metric=f"test_{spec.search.metric}",
        headline=headline,
        trials=tuple(replace(one, as_good=one.number in (equal or ())) for one in trials),
        planned=max(planned_trials(spec), len(record.trials)),
        race=scores.view if scores else None,
        baselines=_baselines(record),
        rows=samples.rows,
        as_good=equal,
        stopping=stopping,
        health=(),
        began=record.began,
        last=max((one.last for one in (record, race) if one and one.last), default=None),
        steps=sum(_steps(trial) for one in (record, race) if one for trial in one.trials.values())
        + (stopping.audit_steps if stopping else 0),
        tracking=record.tracking,
    )
    return with_health(result, spec, record)


def _phase(record: StudyRecord, spec: StudySpec) -> Phase:
    if len(record.in_state("complete", "pruned", "failed")) < planned_trials(spec):
        return "search"
    if record.in_state("running"):
        return "search"
    best = record.best(spec.goals.objectives[0].maximize, spec.goals.constraints)
    if best is None:
        return "failed"
    racing = {trial.number for trial in candidates(record, spec)} or {best.number}
    if record.winner is not None and set(finalists_of(record.winner)) == racing:
        return "audit" if awaiting(record, spec) else "finished"
    decision = record.finalists
    decided = len(racing) == 1 or (decision is not None and set(decision.candidates) == racing)
    return "winner" if decided else "race"


def _headline(record: StudyRecord, spec: StudySpec, samples: Samples) -> Headline | None:
    """Returns the winner with its scores, else the best complete trial so far."""
    winner, maximize = record.winner, spec.goals.objectives[0].maximize
    if winner is None:
        best = record.best(maximize, spec.goals.constraints)
        return None if best is None else _single(best, spec, best.metrics, {}, samples)
    trial = record.trials[winner.trial]
    if (
        not winner.race
        or estimate(spec.objective, winner.race.dev.get(spec.objective, ())) is None
    ):
        return _single(trial, spec, winner.dev, winner.test, samples)
    return _confirmed(trial, winner, spec, samples)


def _single(
    trial: TrialRecord, spec: StudySpec, dev: MetricValues, test: MetricValues, samples: Samples
) -> Headline:
    """Returns a headline of the one run in the search, by whose score the trial was chosen."""
    dev = {name: value for name, value in dev.items() if name.startswith("dev_")}
    ones = [{name: [value] for name, value in split.items()} for split in (dev, test)]
    out = collapsed(*ones)
    return Headline(
        trial=trial.number,
        settings=dict(trial.settings),
        params=dict(trial.params),
        confirmed=False,
        final=bool(test),
        dev=_estimates(ones[0], out, spec, samples),
        test=_estimates(ones[1], out, spec, samples),
        seeds=(dict(trial.seeds),),
        search=trial.value,
        optimism=None,
        weights={**dev, **test} if test else {},
    )


def _confirmed(
    trial: TrialRecord, winner: WinnerEvaluated, spec: StudySpec, samples: Samples
) -> Headline:
    """Returns a headline of the runs with seeds that did not choose the winner."""
    race = winner.race
    assert race
    out = collapsed(race.dev, race.test)
    dev = _estimates(race.dev, out, spec, samples)
    search = next(one.search for one in race.candidates if one.trial == winner.trial)
    sign = 1 if spec.goals.objectives[0].maximize else -1
    return Headline(
        trial=trial.number,
        settings=dict(trial.settings),
        params=dict(trial.params),
        confirmed=True,
        final=True,
        dev=dev,
        test=_estimates(race.test, out, spec, samples),
        seeds=tuple(race.seeds),
        search=search,
        optimism=sign * (search - dev[spec.objective].mean),
        weights={**winner.dev, **winner.test},
    )


def _estimates(
    scores: Scores, out: Sequence[bool], spec: StudySpec, samples: Samples
) -> dict[str, Estimate]:
    """Returns the estimates of all metrics that have one, the search metric first."""
    known = {
        name: estimate(name, values, samples.rows.get(name.split("_")[0]), samples.classes, out)
        for name, values in scores.items()
    }
    names = sorted(known, key=lambda name: name.split("_", 1)[1] != spec.search.metric)
    return {name: one for name in names if (one := known[name]) is not None}


def _trial(trial: TrialRecord, spec: StudySpec, race: RaceSoFar | None) -> TrialResult:
    return TrialResult(
        number=trial.number,
        state=trial.state,
        word=STATE_WORDS[trial.state],
        reason=trial.reason,
        params=dict(trial.params),
        settings=dict(trial.settings),
        seeds=dict(trial.seeds),
        score=trial.value,
        curve=tuple(trial.values.items()),
        metrics=trial.metrics,
        feasible=trial.feasible(spec.goals.constraints),
        reports=len(trial.reports),
        reports_planned=trial.reports_planned,
        steps=_steps(trial),
        total_steps=trial.total_steps,
        seconds=trial.seconds,
        created=trial.created,
        ended=trial.ended,
        choosing=race.choosing(trial.number) if race else (),
        confirming=race.confirming(trial.number) if race else (),
        estimate=race.estimates.get(trial.number) if race else None,
        error=race.error(trial.number) if race else None,
        rounds=race.rounds(trial.number) if race else 0,
        audited=trial.audited.metrics.get(trial.metric) if trial.audited else None,
    )


def _steps(trial: TrialRecord) -> int:
    return trial.reports[-1].step if trial.reports else 0


def _samples(record: StudyRecord) -> Samples:
    splits = ((record.opened and record.opened.quality) or {}).get("splits", {})
    classes = max((len(split["class_rows"]) for split in splits.values()), default=2)
    return Samples({name: split["rows"] for name, split in splits.items()}, classes)


def _baselines(record: StudyRecord) -> dict[str, dict[str, float]]:
    """Returns the scores of the baselines; empty if the journal does not have them."""
    known = {**((record.opened and record.opened.baselines) or {}), **record.baselines}
    return {
        name: {metric: value for metric, value in scores.items() if value is not None}
        for name, scores in known.items()
    }
