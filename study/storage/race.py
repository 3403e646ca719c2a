"""The race of the finalists: the winner of a study is chosen with fresh seeds.

The best of many scores is optimistic: it is selected partly by chance. So the best trials train
again with fresh seeds, in rounds of successive halving: in every round each candidate gets as many
new runs as it has had so far (one in the first), then the better half continues. With 16
candidates:

    candidates  16   8   4   2
    new runs     1   1   2   4      40 in total

A candidate is ranked by `estimates`: its scores with fresh seeds and, with half their weight, that
of the search, which is optimistic because the candidates were selected by it. The last candidate
is the winner. It trains again with seeds that were not used in the choice, and only their scores
are reported. All candidates have the same seeds, so that scores are compared in pairs.

Scores are given by trial and repeat, the index of the fresh seeds from 0. The functions are pure;
study/engine/comparison/finalists.py runs the race.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.spec import StudySpec
from study.spec.goals import Goals
from study.spec.space import planned_trials
from study.storage.events import RaceDecided, WinnerEvaluated
from study.storage.record import StudyRecord, TrialRecord

TRIALS_PER_CANDIDATE = 4
"""At most one candidate for so many trials, so that the search costs more than the race."""
SEARCH_WEIGHT = 0.5
"""The weight of the score in the search; a score with fresh seeds has the weight 1. If the scores
of all settings vary equally, the best weight is 1, because no score is noisier than another. If
some vary more, those are selected by lucky scores, and the best weight is less. With a half the
expected score of the winner is within 0.01 noise sd of the best weight's in all cases of
tests/benchmarks/race."""
FIRST_SEED = 1000
"""Difference between the first fresh seeds and the study's, above those of repeated settings."""

RaceScores = Mapping[int, Mapping[int, float | None]]
"""Trial -> repeat -> score, None for a run that failed; only runs that have ended."""


@dataclass(frozen=True)
class Race:
    """The state of a race."""

    runs: list[tuple[int, int]]
    """Trial and repeat of all runs up to the present round, including ended ones."""
    rounds: list[list[int]]
    """The trials of every round so far, the best at its start first."""
    winner: int | None = None
    confirming: tuple[int, ...] = ()
    """The repeats of the winner whose scores are reported."""

    def over(self, scores: RaceScores) -> bool:
        """Whether all runs have ended."""
        ended = all(repeat in scores.get(trial, {}) for trial, repeat in self.runs)
        return self.winner is not None and ended


def candidates(record: StudyRecord, spec: StudySpec) -> list[TrialRecord]:
    """Returns the trials of the race, the best first; none in a study of few trials."""
    most = planned_candidates(spec)
    return ranked(record, spec.goals)[:most] if most > 1 else []


def planned_candidates(spec: StudySpec) -> int:
    """Returns the planned number of candidates; with fewer than two there is no race."""
    return min(spec.finalists.candidates, planned_trials(spec) // TRIALS_PER_CANDIDATE)


def ranked(record: StudyRecord, goals: Goals) -> list[TrialRecord]:
    """Returns the eligible trials by their score in the search, the best first."""
    sign = -1 if goals.objectives[0].maximize else 1
    eligible = record.eligible(goals.constraints)
    return sorted(eligible, key=lambda trial: (sign * float(trial.value or 0), trial.number))


def finalists_of(winner: WinnerEvaluated) -> list[int]:
    """Returns the trials that a winner was chosen among: the race's, or itself without a race."""
    return [one.trial for one in winner.race.candidates] if winner.race else [winner.trial]


def rounds(count: int) -> list[tuple[int, int]]:
    """Returns (candidates, new runs of each) of every round, for `count` candidates.

    The number of candidates is halved, rounding up, until one is left.
    """
    plan, had = [], 0
    while count > 1:
        plan.append((count, max(1, had)))
        had += plan[-1][1]
        count = (count + 1) // 2
    return plan


def current_race(
    search: Mapping[int, float], scores: RaceScores, maximize: bool, confirm: int
) -> Race:
    """Returns the state of the race between the trials in `search`, given the scores so far.

    Args:
        search: trial -> its score in the search.
        scores: the scores of the race.
        maximize: whether larger scores are better.
        confirm: the number of runs of the winner whose scores are reported.
    """
    trials, runs, past, had = list(search), [], [], 0
    for size, more in rounds(len(trials)):
        trials = _ranked(trials, search, _first(scores, had), maximize)[:size]
        past.append(trials)
        runs += [(trial, repeat) for repeat in range(had, had + more) for trial in trials]
        had += more
        if any(repeat not in scores.get(trial, {}) for trial, repeat in runs):
            return Race(runs, past)
    winner = _ranked(trials, search, _first(scores, had), maximize)[0]
    confirming = tuple(range(had, had + confirm))
    runs += [(winner, repeat) for repeat in confirming]
    return Race(runs, past, winner, confirming)


def planned_runs(count: int, confirm: int) -> int:
    """Returns the number of runs of a race between `count` trials, with those that confirm."""
    return sum(size * more for size, more in rounds(count)) + confirm


def estimates(
    trials: Sequence[int], search: Mapping[int, float], scores: RaceScores
) -> dict[int, float]:
    """Returns the expected score of each trial with another seed, by which the race ranks.

    The mean of its scores with fresh seeds and, with `SEARCH_WEIGHT`, that in the search, less the
    mean excess of the search over the fresh scores of `trials`.

    Args:
        trials: the candidates that are compared.
        search: trial -> its score in the search.
        scores: the scores of the race; failed runs do not count.
    """
    fresh = {t: [s for s in scores.get(t, {}).values() if s is not None] for t in trials}
    excess = [search[trial] - statistics.fmean(known) for trial, known in fresh.items() if known]
    level = statistics.fmean(excess) if excess else 0.0
    return {
        trial: (SEARCH_WEIGHT * (search[trial] - level) + sum(known))
        / (SEARCH_WEIGHT + len(known))
        for trial, known in fresh.items()
    }


def decided_race(decision: RaceDecided, confirm: int) -> Race:
    """Returns the race that led to a recorded decision; later scores do not change it."""
    past, runs, had = [list(trials) for trials in decision.rounds], [], 0
    for trials, (_, more) in zip(past, rounds(len(decision.candidates)), strict=True):
        runs += [(trial, repeat) for repeat in range(had, had + more) for trial in trials]
        had += more
    confirming = tuple(range(had, had + confirm))
    runs += [(decision.winner, repeat) for repeat in confirming]
    return Race(runs, past, decision.winner, confirming)


def fresh_seeds(seeds: Mapping[str, int], repeat: int) -> dict[str, int]:
    """Returns the seeds of a repeat, the same for all candidates; `seeds` are the study's."""
    return {stream: (seed + FIRST_SEED + repeat) % 2**32 for stream, seed in seeds.items()}


def repeat_of(run: Mapping[str, int], seeds: Mapping[str, int]) -> int:
    """Returns the repeat of a run's seeds; the inverse of `fresh_seeds`."""
    return (run["init"] - seeds["init"] - FIRST_SEED) % 2**32


def _first(scores: RaceScores, repeats: int) -> RaceScores:
    """Returns the scores of the first repeats; later ones do not decide the round."""
    return {
        trial: {k: score for k, score in fresh.items() if k < repeats}
        for trial, fresh in scores.items()
    }


def _ranked(
    trials: Sequence[int], search: Mapping[int, float], scores: RaceScores, maximize: bool
) -> list[int]:
    """Returns the trials with the fewest failed runs first, then by their estimates."""
    expected, sign = estimates(trials, search, scores), -1 if maximize else 1

    def rank(trial: int) -> tuple[int, float, int]:
        failed = list(scores.get(trial, {}).values()).count(None)
        return failed, sign * expected[trial], trial

    return sorted(trials, key=rank)
