"""Two configurations on equal seeds: the difference, its interval, p-value, P(improvement).

Both were run with the same seeds, so that what a seed does to both cancels in the difference
(common random numbers). A configuration that no mask touches has one run for each init and data
seed; it stands against every mask seed of the other, and the runs of one (init, data) then share
its luck, which the interval allows for (crossed.py). A pair of which one run failed has no
difference; it is counted, and lost in P(improvement).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.analysis.seeds.crossed import Estimate, estimate, layout_of
from study.analysis.seeds.design import NO_MASK
from study.analysis.seeds.questions import Kind, Question
from study.analysis.seeds.reading import Comparison, Key, Run, lower_is_better
from study.analysis.seeds.statistics import (
    SeedBootstrap,
    holm,
    limits,
    probability_of_improvement,
    weighted_improvement,
    win_matrix,
)
from study.analysis.seeds.summary import seeds_of


@dataclass(frozen=True)
class Pair:
    """Configuration a against b on one task; the difference is a - b in the metric's units."""

    task: str
    question: Question
    differences: dict[Key, float]
    dropped: int
    """Pairs of which a run failed."""
    difference: Estimate
    """`p_above` is one-sided for "a is better", also of a loss."""
    improvement: float | None
    """The probability that a run of a is better than one of b, any seeds; failed runs lose."""
    improvement_limits: tuple[float, float] | None
    better: bool | None
    """Whether a is the better one on average; None without a difference."""
    masked: int
    """How many of the two a mask touches."""
    p_corrected: float | None = None
    """Holm's, over all pairs of the same kind in all tasks; None before, or without p-value."""
    p_corrected_two_sided: float | None = None
    """The same of the two-sided p-values; it differs where the question has a direction."""

    @property
    def p_value(self) -> float | None:
        """What decides, before correction: one-sided where the question has a direction."""
        one_sided = self.question.directed
        return self.difference.p_above if one_sided else self.difference.p_value

    @property
    def winner(self) -> str | None:
        """The label of the better one, by a corrected p-value of at most 0.05; None if open.

        That a is better is decided one-sided where the question has a direction, that b is
        always two-sided.
        """
        p = self.p_corrected if self.better else self.p_corrected_two_sided
        return self.best if p is not None and p <= 0.05 else None

    @property
    def best(self) -> str:
        """The label of the better one on average."""
        return self.question.a if self.better else self.question.b

    @property
    def wins(self) -> tuple[int, int]:
        """On how many equal seeds the better one is ahead, and how many there are."""
        sign = 1 if self.difference.mean > 0 else -1
        return sum(sign * d > 0 for d in self.differences.values()), len(self.differences)

    def has(self, label: str) -> bool:
        """Whether it is about a configuration."""
        return label in (self.question.a, self.question.b)

    def seen_from(self, label: str) -> Estimate:
        """Returns the difference of one of the two minus the other."""
        return self.difference if label == self.question.a else turned(self.difference)


def compare(
    comparison: Comparison,
    metric: str,
    question: Question,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> Pair:
    """Returns one comparison; p-values are not corrected yet."""
    sign = -1 if lower_is_better(metric) else 1
    runs = [comparison.configurations[label] for label in (question.a, question.b)]
    pairs = paired(*runs)
    differences = {
        key: one.values[metric] - other.values[metric]
        for key, (one, other) in pairs.items()
        if metric in one.values and metric in other.values
    }
    ended = sum(_ended(one) and _ended(other) for one, other in pairs.values())
    found = estimate(
        sign * np.array(list(differences.values())), layout_of(tuple(differences)), rng
    )
    improvement, its_limits = _improvement(runs, metric, sign, bootstrap)
    return Pair(
        task=comparison.name,
        question=question,
        differences=differences,
        dropped=ended - len(differences),
        difference=found if sign > 0 else turned(found),
        improvement=improvement,
        improvement_limits=its_limits,
        better=found.mean > 0 if differences else None,
        masked=sum(any(run.key[0] != NO_MASK for run in those) for those in runs),
    )


def paired(a: Sequence[Run], b: Sequence[Run]) -> dict[Key, tuple[Run, Run]]:
    """Returns the runs of two configurations on equal seeds, by these."""
    by_key = {run.key: run for run in b}
    unmasked = {run.key[1:]: run for run in b if run.key[0] == NO_MASK}
    found: dict[Key, tuple[Run, Run]] = {}
    for run in a:
        if (other := by_key.get(run.key) or unmasked.get(run.key[1:])) is not None:
            found[run.key] = (run, other)
    own = {run.key[1:]: run for run in a if run.key[0] == NO_MASK}
    for run in b:
        if run.key[0] != NO_MASK and (mine := own.get(run.key[1:])) is not None:
            found.setdefault(run.key, (mine, run))
    return found


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """Returns the pairs with p-values corrected over all of the same kind."""
    found = list(pairs)
    kinds: set[Kind] = {pair.question.kind for pair in pairs}
    for kind in kinds:
        places = [place for place, pair in enumerate(pairs) if pair.question.kind == kind]
        decisive = holm([pairs[place].p_value for place in places])
        two_sided = holm([pairs[place].difference.p_value for place in places])
        for place, p, both in zip(places, decisive, two_sided, strict=True):
            found[place] = replace(pairs[place], p_corrected=p, p_corrected_two_sided=both)
    return found


def turned(found: Estimate) -> Estimate:
    """Returns mean and limits with the other sign; p-values stay as they are."""
    low, high = found.low, found.high
    return replace(
        found,
        mean=-found.mean,
        low=None if high is None else -high,
        high=None if low is None else -low,
    )


def _ended(run: Run) -> bool:
    return run.state in ("complete", "failed")


def _improvement(
    runs: Sequence[Sequence[Run]], metric: str, sign: int, bootstrap: SeedBootstrap
) -> tuple[float | None, tuple[float, float] | None]:
    ended = [[run for run in those if _ended(run)] for those in runs]
    if not all(ended):
        return None, None
    scores = [
        np.array([sign * run.values.get(metric, -sign * np.inf) for run in those])
        for those in ended
    ]
    wins = win_matrix(*scores)
    weights = [bootstrap.weights(seeds_of(those)) for those in ended]
    enough = min(map(len, ended)) > 1
    drawn = limits(weighted_improvement(wins, *weights)) if enough else None
    return probability_of_improvement(wins), drawn
