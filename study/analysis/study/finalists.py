"""The race of the finalists, as the page presents it: who went how far, and what that showed."""

from dataclasses import dataclass
from typing import Any

from study.analysis.study.reading import StudyData
from study.analysis.text import shown
from study.storage.race import reported


@dataclass(frozen=True)
class Candidate:
    """A trial that raced: its score in the search, and those with fresh seeds."""

    trial: int
    search: float
    fresh: list[float]
    failed: int
    rounds: int
    """How many rounds it was in."""
    won: bool

    @property
    def mean(self) -> float | None:
        """Of the scores with fresh seeds."""
        return sum(self.fresh) / len(self.fresh) if self.fresh else None


@dataclass(frozen=True)
class Finalists:
    """All candidates, in the order of the search, and what is reported of the winner."""

    candidates: list[Candidate]
    scores: list[tuple[str, ...]]
    """Metric, dev and test: means over the fresh seeds that had no part in the choice."""
    seeds: int
    failed: int
    optimism: str
    """In words: how far the search's scores were off."""


def finalists(study: StudyData) -> Finalists | None:
    """Returns how the race went; None if there was none."""
    event = study.record.winner
    race = event.get("race") if event else None
    if event is None or race is None:
        return None
    rounds: list[list[int]] = race["rounds"]
    found = [
        Candidate(
            trial=one["trial"],
            search=one["search"],
            fresh=[score for score in one["fresh"] if score is not None],
            failed=sum(score is None for score in one["fresh"]),
            rounds=sum(one["trial"] in field for field in rounds),
            won=one["trial"] == event["trial"],
        )
        for one in race["candidates"]
    ]
    return Finalists(
        candidates=found,
        scores=_scores(study, race),
        seeds=len(race["seeds"]),
        failed=race["failed"],
        optimism=_optimism(study, found, len(race["seeds"]) - race["failed"]),
    )


def _scores(study: StudyData, race: dict[str, Any]) -> list[tuple[str, ...]]:
    names = [name.removeprefix("dev_") for name in race["dev"]]
    first = study.spec.search.metric
    names = sorted(names, key=lambda name: name != first)
    return [
        (name, *(_mean(f"{split}_{name}", race[split]) for split in ("dev", "test")))
        for name in names
    ]


def _mean(metric: str, scores: dict[str, list[float | None]]) -> str:
    one = reported(metric, scores.get(metric, []))
    return "" if one is None else f"{shown(one.mean)} ({shown(one.low)} to {shown(one.high)})"


def _optimism(study: StudyData, found: list[Candidate], confirming: int) -> str:
    """The search's best single score against the same trial's mean with fresh seeds.

    Of the winner those scores alone count that had no part in the choice.
    """
    sign = 1 if study.maximize else -1
    gaps = {}
    for one in found:
        fresh = one.fresh[-confirming:] if one.won else one.fresh
        if fresh:
            gaps[one.trial] = (one.search, sum(fresh) / len(fresh), len(fresh))
    text = ""
    first = found[0].trial
    if first in gaps:
        search, mean, count = gaps[first]
        seeds = f"{count} fresh seed{'s' * (count > 1)}"
        text = (
            f"The best single score of the search, {shown(search)} of trial {first}, was "
            f"{_off(sign * (search - mean))}: with {seeds} the trial has "
            f"{shown(mean)} on average."
        )
    if len(gaps) > 1:
        mean = sum(sign * (search - mean) for search, mean, _ in gaps.values()) / len(gaps)
        text += f" Over {len(gaps)} candidates the search was {_off(mean)} on average."
    return text.strip()


def _off(gap: float) -> str:
    return f"{abs(gap):.4f} too {'optimistic' if gap >= 0 else 'pessimistic'}"
