"""The race of the finalists: which trial of a study is really the best, by fresh seeds.

The best of many scores is mostly a lucky one. So the trials with the best scores train again with
fresh seeds, by successive halving of replicates: in every round the candidates get as many new
replicates as they have had (one in the first), and the better half goes on. With 16 candidates:

    candidates       16   8   4   2
    new replicates    1   1   2   4      40 runs

A candidate is ranked by the mean of all its scores, that of the search among them. The last one
standing is the winner, and trains with seeds that had no part in the choice: those scores, and no
others, are reported. All candidates get the same seeds, so that their luck is the same too.

Everything here is a function of scores; who trains, and how it is recorded, is not known here.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.spec import StudySpec
from study.spec.goals import Goals
from study.spec.metrics import limits_of
from study.spec.space import trials_wanted
from study.storage.events import RaceDecided, WinnerEvaluated
from study.storage.record import StudyRecord, TrialRecord

TRIALS_A_CANDIDATE = 4
"""A study has at most one candidate for so many trials: the search is what should cost most."""
FIRST_SEED = 1000
"""Fresh seeds begin so far above a study's own, beyond those of its replicates."""

Scores = Mapping[int, Mapping[int, float | None]]
"""Trial -> replicate (from 0) -> its score; None for one that failed. What has not ended is not
there."""


@dataclass(frozen=True)
class Race:
    """How a race stands."""

    wanted: list[tuple[int, int]]
    """Trial and replicate of all runs up to here, those that have ended among them."""
    rounds: list[list[int]]
    """The trials of every round so far, the best first as they stood at its beginning."""
    winner: int | None = None
    confirming: tuple[int, ...] = ()
    """The replicates of the winner that report its score."""

    def over(self, scores: Scores) -> bool:
        """Whether there is nothing left to run."""
        ended = all(replicate in scores.get(trial, {}) for trial, replicate in self.wanted)
        return self.winner is not None and ended


def candidates(record: StudyRecord, spec: StudySpec) -> list[TrialRecord]:
    """Returns the trials that race, the best first; none in a study of few trials."""
    most = candidates_wanted(spec)
    return ranked(record, spec.goals)[:most] if most > 1 else []


def candidates_wanted(spec: StudySpec) -> int:
    """Returns how many trials race if so many complete; fewer than two are no race."""
    return min(spec.finalists.candidates, trials_wanted(spec) // TRIALS_A_CANDIDATE)


def ranked(record: StudyRecord, goals: Goals) -> list[TrialRecord]:
    """Returns the trials that could win, by the score of their search: the best first."""
    sign = -1 if goals.objectives[0].maximize else 1
    eligible = record.eligible(goals.constraints)
    return sorted(eligible, key=lambda trial: (sign * float(trial.value or 0), trial.number))


def finalists_of(winner: WinnerEvaluated) -> list[int]:
    """Returns the trials that a winner was chosen among: the race's, or itself without a race."""
    return [one.trial for one in winner.race.candidates] if winner.race else [winner.trial]


def rounds(field: int) -> list[tuple[int, int]]:
    """Returns candidates and new replicates of every round, for a `field` of candidates.

    The number of candidates is halved, rounding up, as long as there are two.
    """
    found, had = [], 0
    while field > 1:
        found.append((field, max(1, had)))
        had += found[-1][1]
        field = (field + 1) // 2
    return found


def stand(search: Mapping[int, float], scores: Scores, maximize: bool, confirm: int) -> Race:
    """Returns how the race of the trials in `search`, with their scores there, stands.

    `confirm` is the number of replicates that report the winner's score.
    """
    field, wanted, past, had = list(search), [], [], 0
    for size, more in rounds(len(field)):
        field = _ranked(field, search, _first(scores, had), maximize)[:size]
        past.append(field)
        wanted += [(trial, replicate) for replicate in range(had, had + more) for trial in field]
        had += more
        if any(replicate not in scores.get(trial, {}) for trial, replicate in wanted):
            return Race(wanted, past)
    winner = _ranked(field, search, _first(scores, had), maximize)[0]
    confirming = tuple(range(had, had + confirm))
    wanted += [(winner, replicate) for replicate in confirming]
    return Race(wanted, past, winner, confirming)


@dataclass(frozen=True)
class Reported:
    """A mean over replicates with its 95 % interval (Student's t), in the metric's unit."""

    mean: float
    low: float
    high: float
    count: int


def reported(metric: str, values: Sequence[float | None]) -> Reported | None:
    """Returns what replicates say together of dev_mcc, say; None unless two of them have a value.

    The interval ends where the metric does.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    from scipy import stats

    half = float(stats.t.ppf(0.975, len(known) - 1)) * statistics.stdev(known) / len(known) ** 0.5
    mean = statistics.fmean(known)
    least, most = limits_of(metric)
    return Reported(mean, max(least, mean - half), min(most, mean + half), len(known))


def standing_by(choice: RaceDecided, confirm: int) -> Race:
    """Returns the race whose winner has been chosen, whatever runs say that ended since."""
    past, wanted, had = [list(trials) for trials in choice.rounds], [], 0
    for field, (_, more) in zip(past, rounds(len(choice.candidates)), strict=True):
        wanted += [(trial, replicate) for replicate in range(had, had + more) for trial in field]
        had += more
    confirming = tuple(range(had, had + confirm))
    wanted += [(choice.winner, replicate) for replicate in confirming]
    return Race(wanted, past, choice.winner, confirming)


def fresh_seeds(seeds: Mapping[str, int], replicate: int) -> dict[str, int]:
    """Returns the seeds of a replicate, the same for all candidates; `seeds` are the study's."""
    return {stream: (seed + FIRST_SEED + replicate) % 2**32 for stream, seed in seeds.items()}


def _first(scores: Scores, replicates: int) -> Scores:
    """The first replicates alone: later ones, and those of an earlier race, do not choose."""
    return {
        trial: {k: score for k, score in found.items() if k < replicates}
        for trial, found in scores.items()
    }


def _ranked(
    field: Sequence[int], search: Mapping[int, float], scores: Scores, maximize: bool
) -> list[int]:
    """The better mean first; whoever failed more often comes after all others."""

    def rank(trial: int) -> tuple[int, float, int]:
        fresh = list(scores.get(trial, {}).values())
        known = [search[trial], *(score for score in fresh if score is not None)]
        mean = sum(known) / len(known)
        return (len(fresh) + 1 - len(known), -mean if maximize else mean, trial)

    return sorted(field, key=rank)
