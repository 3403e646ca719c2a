"""Failures on the page: their reasons, where in the space they lie, the first traceback."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.analysis.text import short
from study.storage.events import TrialWarning
from study.storage.record import TrialRecord

LONGEST = 8000
"""The number of characters of a traceback that are shown, its last ones."""
APART = 0.5
"""A bound on a setting is named if it holds for this share more of the failed trials than of the
others."""


@dataclass(frozen=True)
class Failure:
    """Trials that failed for the same reason."""

    reason: str
    trials: list[int]
    where: str
    """The setting in which they differ most from the others, in words; empty if in none."""
    file: str
    """The first trial's traceback, relative to the study folder; empty if missing."""
    traceback: str


def failures(study: StudyData) -> list[Failure]:
    """Returns the failed trials grouped by reason, the most frequent first."""
    by_reason: dict[str, list[int]] = {}
    for trial in study.record.in_state("failed"):
        reason = trial.reason or "no reason was recorded"
        by_reason.setdefault(reason, []).append(trial.number)
    groups = [_failure(study, reason, sorted(trials)) for reason, trials in by_reason.items()]
    return sorted(groups, key=lambda failure: (-len(failure.trials), failure.trials))


def warnings(study: StudyData) -> list[tuple[str, list[int]]]:
    """Returns (text, trials) of what went wrong without changing results; crashes come first."""
    retried = [trial.number for trial in study.trials if trial.crashes and trial.state != "failed"]
    texts = {"crashed and were tried again from the last checkpoint": retried} if retried else {}
    for event in study.events:
        if isinstance(event, TrialWarning):
            texts.setdefault(event.text, []).append(event.trial)
    return [(text, sorted(set(trials))) for text, trials in texts.items()]


def _failure(study: StudyData, reason: str, trials: list[int]) -> Failure:
    file = study.folder.failure(trials[0])
    found = file.is_file()
    text = file.read_text(encoding="utf-8", errors="replace") if found else ""
    return Failure(
        reason=reason,
        trials=trials,
        where=where(study, trials),
        file=str(file.relative_to(study.folder.path)) if found else "",
        traceback=text if len(text) <= LONGEST else "[…]\n" + text[-LONGEST:],
    )


def where(study: StudyData, trials: Sequence[int]) -> str:
    """Returns a sentence on the bound that separates failed trials best from those that did not.

    A bound on one setting is tried at each failed trial's value. With fewer than two failed
    trials or two others nothing is said.
    """
    failed = [trial for trial in study.trials if trial.number in trials]
    others = [trial for trial in study.trials if trial.state in ("complete", "pruned")]
    if len(failed) < 2 or len(others) < 2:
        return ""
    best, sentence = APART, ""
    for name in study.spec.domains:
        bad, good = _numbers(failed, name), _numbers(others, name)
        if len(bad) < 2 or len(good) < 2:
            continue
        for sign, bound in ((1, min(bad)), (-1, max(bad))):
            beyond = sum(sign * value >= sign * bound for value in good)
            gap = 1 - beyond / len(good)
            if gap > best:
                best, word = gap, "at least" if sign > 0 else "at most"
                sentence = (
                    f"All {len(bad)} have {name} of {word} {short(bound)}, as {beyond or 'none'} "
                    f"of the {len(good)} others."
                )
    return sentence


def _numbers(trials: Sequence[TrialRecord], name: str) -> list[float]:
    values = [trial.settings.get(name) for trial in trials]
    return [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
