"""The race of the finalists on the page: scores with fresh seeds, and the search's optimism."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.study.reading import StudyData
from study.analysis.text import shown
from study.storage.result import Estimate
from study.storage.result.collapse import lost_text


@dataclass(frozen=True)
class Candidate:
    """A trial of the race: its score in the search, and its scores with fresh seeds."""

    trial: int
    search: float
    fresh: list[float]
    failed: int
    """Number of runs with fresh seeds that failed."""
    rounds: int
    """Number of rounds it took part in."""
    won: bool

    chose: float | None
    """Mean of the scores with fresh seeds that chose the winner; None without any."""
    confirmed: float | None
    """Mean of those that confirm it; None for all but the winner."""
    estimate: float | None
    """By which the race ranked it: the scores that chose, and a part of the search score."""


@dataclass(frozen=True)
class Finalists:
    """The candidates in the order of their search scores, and the winner's reported scores."""

    candidates: list[Candidate]
    scores: list[tuple[str, ...]]
    """(metric, dev, test): means over the confirming seeds, which did not affect the choice."""
    seeds: int
    """Number of confirming seeds."""
    failed: int
    """Number of runs with confirming seeds that failed."""
    collapsed: str
    """How many of them collapsed, with the interval of the rate; empty if none did."""
    optimism: str
    """Sentences on the difference between search scores and means with fresh seeds."""


def finalists(study: StudyData) -> Finalists | None:
    """Returns the results of the race; None if there was none."""
    event = study.record.winner
    race = event.race if event else None
    if event is None or not race:
        return None
    candidates = [
        Candidate(
            trial=one.trial,
            search=one.search,
            fresh=[score for score in one.fresh if score is not None],
            failed=sum(score is None for score in one.fresh),
            rounds=sum(one.trial in trials for trials in race.rounds),
            won=one.trial == event.trial,
            chose=_average(study.result.trial(one.trial).choosing),
            confirmed=_average(study.result.trial(one.trial).confirming),
            estimate=study.result.trial(one.trial).estimate,
        )
        for one in race.candidates
    ]
    return Finalists(
        candidates=candidates,
        scores=_scores(study),
        seeds=len(race.seeds),
        failed=race.failed,
        collapsed=_collapsed(study),
        optimism=_optimism(study, candidates, len(race.seeds) - race.failed),
    )


def _average(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _scores(study: StudyData) -> list[tuple[str, ...]]:
    best = study.result.headline
    if best is None or not best.confirmed:
        return []
    names = [name.removeprefix("dev_") for name in best.dev]
    return [
        (name, _mean(best.dev.get(f"dev_{name}")), _mean(best.test.get(f"test_{name}")))
        for name in names
    ]


def _collapsed(study: StudyData) -> str:
    best = study.result.headline
    score = None if best is None else best.score(study.result.metric)
    return lost_text(score) if score is not None and score.collapsed else ""


def _mean(one: Estimate | None) -> str:
    if one is None or one.low is None or one.high is None:
        return ""
    return f"{shown(one.mean)} ({shown(one.low)} to {shown(one.high)})"


def _optimism(study: StudyData, candidates: list[Candidate], confirming: int) -> str:
    """Returns sentences that compare search scores with means over fresh seeds.

    For the winner only the confirming seeds count, because the others affected the choice; for
    the others only the first fresh seed, because whether they got more depended on their scores.
    """
    sign = 1 if study.maximize else -1
    gaps = {}
    for one in candidates:
        fresh = one.fresh[-confirming:] if one.won else one.fresh[:1]
        if fresh:
            gaps[one.trial] = (one.search, sum(fresh) / len(fresh), len(fresh))
    text = ""
    first = candidates[0].trial
    if first in gaps:
        search, mean, count = gaps[first]
        seeds = f"{count} fresh seed{'s' * (count > 1)}"
        text = (
            f"The best score of the search, {shown(search)} of trial {first}, was "
            f"{_gap_text(sign * (search - mean))}: the mean of this trial over {seeds} is "
            f"{shown(mean)}."
        )
    if len(gaps) > 1:
        mean = sum(sign * (search - mean) for search, mean, _ in gaps.values()) / len(gaps)
        text += f" Over {len(gaps)} candidates the search was {_gap_text(mean)} on average."
    return text.strip()


def _gap_text(gap: float) -> str:
    return f"{abs(gap):.4f} too {'optimistic' if gap >= 0 else 'pessimistic'}"
