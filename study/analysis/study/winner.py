"""The winner on the page: settings, scores, parameters; budget, kept and rank of its triplets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from study.analysis.study.allocation import expected_kept, rates, setting
from study.analysis.study.reading import StudyData
from study.analysis.study.trial_table import parameter_columns
from study.analysis.text import shown
from study.storage.record import TrialRecord

PARAMETERS = (
    "adapter_parameters",
    "kept_parameters",
    "head_parameters",
    "trainable_parameters",
)


@dataclass(frozen=True)
class Winner:
    """The winner, or the best complete trial so far."""

    trial: int
    evaluated: bool
    """Whether it has been evaluated on the test split."""
    settings: list[tuple[str, str]]
    scores: list[tuple[str, str, str]]
    """(metric, dev score, test score)."""
    parameters: list[tuple[str, str]]
    compared: int
    """Number of trials with a dev score."""
    triplets: str
    """Sentences on budget, kept and rank; empty for methods without a budget."""


def winner(study: StudyData) -> Winner | None:
    """Returns the winner, else the best complete trial so far; None without a complete trial."""
    trial = study.leader
    if trial is None:
        return None
    event = study.record.winner
    dev = event.dev if event else trial.metrics
    test = event.test if event else {}
    values = {**trial.settings, **trial.params}
    return Winner(
        trial=trial.number,
        evaluated=event is not None,
        settings=[(k, shown(values.get(k))) for k in parameter_columns(study)],
        scores=_scores(study, dev, test),
        parameters=[(name, shown(trial.metrics.get(name))) for name in PARAMETERS],
        compared=sum(trial.value is not None for trial in study.trials),
        triplets=triplets(study, trial),
    )


def triplets(study: StudyData, trial: TrialRecord) -> str:
    """Returns sentences on budget, kept and rank after the trial's last mask event."""
    last = study.trace[-1] if study.trace else trial.metrics
    if last.get("budget") is None or last.get("kept") is None:
        return ""
    rank = sum(last["ranks"].values()) if "ranks" in last else last.get("rank")
    text = (
        f"At the last mask event the budget was {shown(last['budget'])} singular triplets. The "
        f"random mask dropped {shown(last.get('dropped'))} of them and reintroduced "
        f"{shown(last.get('reintroduced'))} others, so {shown(last['kept'])} were kept. The rank, "
        f"the number of non-zero lam, is {shown(rank)} summed over all matrices."
    )
    return text + (_expectation(study, trial) if study.trace else "")


def _expectation(study: StudyData, trial: TrialRecord) -> str:
    """Returns a sentence on the number of triplets that eq. 1 keeps on average."""
    last = study.trace[-1]
    b, total = last["budget"], len(last["ranks"]) * setting(study.spec, trial, "b0")
    p, reintroduce = rates(study.spec, trial)
    if p == 0 and reintroduce == 0:
        return " With p = 0 the number kept equals the budget."
    if setting(study.spec, trial, "final_mask") == "deterministic":
        return (
            " With final_mask: deterministic the number kept at the last event equals the budget."
        )
    mean = expected_kept(b, total, p, reintroduce)
    second = "p" if reintroduce == p else "p_reintroduce"
    text = (
        f" On average eq. 1 keeps (1 − p) b + {second} (n b0 − b) = {mean:.1f} of the "
        f"n b0 = {total:,} triplets (b = {b:,}, p = {p:.3g}"
    )
    if reintroduce == p:
        return text + "), which equals the budget b only if b = n b0 / 2."
    return text + f", p_reintroduce = {reintroduce:.3g}), which in general differs from b."


def _scores(
    study: StudyData, dev: Mapping[str, Any], test: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    names = [name.removeprefix("dev_") for name in dev if name.startswith("dev_")]
    first = study.spec.search.metric
    names = [first, *(name for name in names if name != first)]
    return [(n, shown(dev.get(f"dev_{n}")), shown(test.get(f"test_{n}"))) for n in names]
