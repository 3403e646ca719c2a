"""The table of all trials, best first."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.analysis.text import NOTHING, short, shown
from study.spec import parameter_name
from study.storage.record import TrialRecord
from study.storage.result.words import STATE_WORDS

FEASIBLE = {True: "yes", False: "no", None: NOTHING}


@dataclass(frozen=True)
class Row:
    """One trial of the table."""

    trial: int
    state: str
    word: str
    """The state, as people read it."""
    winner: bool
    as_good: bool
    """Whether it cannot be told from the winner."""
    cells: list[str]


@dataclass(frozen=True)
class TrialTable:
    """The columns after `trial` and `state`, and one row for each trial, best first."""

    columns: list[str]
    hidden: set[str]
    """The columns that are not shown at first."""
    rows: list[Row]


def trial_table(study: StudyData, trials: Sequence[TrialRecord] | None = None) -> TrialTable:
    """Returns parameters by their YAML names, metrics, steps and seconds of trials (default: all).

    `fresh seeds`, if there is a race: the mean of the scores with fresh seeds, and their number;
    of the winner those that confirm it, as those that chose it are optimistic.

    Complete trials come first, best first, those that violate a constraint after the others; then
    trials stopped early, those with the most reports first; then unfinished and failed trials by
    number.
    """
    parameters, metrics = parameter_columns(study), metric_columns(study)
    constraints, best = study.spec.goals.constraints, study.result.headline
    fresh = _fresh(study) if study.result.race else None
    chosen = {trial.number for trial in (study.trials if trials is None else trials)}
    rows = []
    for trial in in_order(study):
        if trial.number not in chosen:
            continue
        values = {**trial.settings, **trial.params}
        cells = [short(values.get(name)) for name in parameters]
        cells += [shown(trial.metrics.get(name)) for name in metrics]
        cells += [fresh.get(trial.number, NOTHING)] if fresh is not None else []
        cells += [_steps(trial), shown(trial.metrics.get("trainable_parameters")), _seconds(trial)]
        cells += [FEASIBLE[trial.feasible(constraints)]] if constraints else []
        won = best is not None and best.final and best.trial == trial.number
        good = trial.number in (study.result.as_good or ())
        word = STATE_WORDS[trial.state]
        rows.append(Row(trial.number, trial.state, word, won, good, cells))
    columns = [*parameters, *metrics, *(["fresh seeds"] if fresh is not None else [])]
    columns += ["steps", "trainable_parameters", "seconds"]
    columns += ["feasible"] if constraints else []
    goals = {study.spec.objective, *study.spec.goals.metrics}
    ratios = {name for name in parameters if name.endswith("_ratio")}
    hidden = {*metrics, *ratios, "trainable_parameters"} - goals
    return TrialTable(columns, hidden, rows)


def _fresh(study: StudyData) -> dict[int, str]:
    """Returns the mean of the scores with fresh seeds, and their number, of each candidate."""
    texts = {}
    for trial in study.result.trials:
        confirming = [score for score in trial.confirming if score is not None]
        scores = confirming or [score for score in trial.choosing if score is not None]
        if scores:
            texts[trial.number] = f"{shown(sum(scores) / len(scores))} ({len(scores)})"
    return texts


def in_order(study: StudyData) -> list[TrialRecord]:
    """Returns all trials in the order of the table."""
    return sorted(study.trials, key=lambda trial: _order(study, trial))


def parameter_columns(study: StudyData) -> list[str]:
    """Returns the searched parameters and the settings derived from them: bT_ratio, then bT."""
    names: dict[str, None] = {}
    for leaf, domain in study.spec.domains.items():
        names |= {parameter_name(leaf, domain): None, leaf: None}
    for trial in study.trials:
        names |= dict.fromkeys([*trial.params, *trial.settings])
    return list(names)


def metric_columns(study: StudyData) -> list[str]:
    """Returns the objective, then all other reported dev metrics, then the goals' metrics."""
    names = {study.spec.objective: None}
    for trial in study.trials:
        names |= {name: None for name in trial.metrics if name.startswith("dev_")}
    names |= dict.fromkeys(study.spec.goals.metrics)
    return [name for name in names if name != "trainable_parameters"]  # A separate column.


def _order(study: StudyData, trial: TrialRecord) -> tuple[float, ...]:
    rank = {"complete": 0, "pruned": 1, "running": 2, "failed": 3}[trial.state]
    sign = -1 if study.maximize else 1
    score = float("inf") if trial.value is None else sign * trial.value
    if trial.state == "complete":
        broken = not trial.feasible(study.spec.goals.constraints)
        return (rank, broken, score, trial.number)
    if trial.state == "pruned":
        return (rank, -len(trial.reports), score, trial.number)
    return (rank, trial.number)


def _steps(trial: TrialRecord) -> str:
    done = trial.reports[-1].step if trial.reports else 0
    return str(done) if done == trial.total_steps else f"{done} of {trial.total_steps}"


def _seconds(trial: TrialRecord) -> str:
    return NOTHING if trial.seconds is None else f"{trial.seconds:,.0f}"
