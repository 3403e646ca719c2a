"""The chart of the race: what chose the winner, and what confirmed it."""

from study.analysis.figure import Figure
from study.analysis.study.reading import StudyData
from study.storage.result import TrialResult
from study.storage.result.estimates import estimate


def race_figure(study: StudyData) -> Figure | None:
    """Returns the strips of the candidates; None before the race begins, or without one."""
    result = study.result
    if result.race is None:
        return None
    candidates = [result.trial(number) for number in result.race.candidates]
    # The winner first, then those that came furthest.
    candidates.sort(key=lambda t: (t.number != _leader(study), -t.rounds))
    rows: list[tuple[int, str, float, float | None, float | None]] = []
    for trial in candidates:
        if trial.score is not None:
            rows.append((trial.number, "search", trial.score, None, None))
        for kind, scores in (("choosing", trial.choosing), ("confirming", trial.confirming)):
            rows += [
                (trial.number, kind, score, None, None) for score in scores if score is not None
            ]
        rows += _means(trial, study.spec.objective)
    names = ("trial", "kind", "score", "low", "high")
    failed = {t.number: [*t.choosing, *t.confirming].count(None) for t in candidates}
    return Figure(
        name="race",
        columns={name: [row[k] for row in rows] for k, name in enumerate(names)},
        heading="Does the winner win with other seeds?",
        alt=f"{study.spec.objective} of every candidate in the search and with fresh seeds",
        caption="Filled: runs with fresh seeds that chose the winner. Hollow: runs with further "
        "seeds, which confirm it and had no part in the choice. Crosses: the one score of the "
        "search by which it became a candidate, chosen as the best of many and too good on "
        "average. Bar: mean and 95 % interval; where the intervals of two candidates overlap "
        "widely, the race has not told them apart.",
        options={
            "candidates": [t.number for t in candidates],
            "failed": {str(number): count for number, count in failed.items() if count},
            "estimates": {str(t.number): t.estimate for t in candidates if t.estimate is not None},
            "winner": result.race.winner,
        },
    )


def _leader(study: StudyData) -> int | None:
    return study.leader.number if study.leader else None


def _means(
    trial: TrialResult, metric: str
) -> list[tuple[int, str, float, float | None, float | None]]:
    """Returns the mean of the confirming runs, else of those that chose."""
    confirmed = estimate(metric, trial.confirming)
    if confirmed is not None:
        return [(trial.number, "mean confirmed", confirmed.mean, confirmed.low, confirmed.high)]
    own = estimate(metric, trial.choosing)
    return [] if own is None else [(trial.number, "mean", own.mean, own.low, own.high)]
