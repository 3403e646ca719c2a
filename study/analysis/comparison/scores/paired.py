"""Two configurations on equal seeds: the difference, its interval, p-value, P(improvement).

Both were run with the same seeds, so that what a seed does to both cancels in the difference
(common random numbers). A configuration that no mask touches has one run for each init and data
seed; it stands against every mask seed of the other, and the runs of one (init, data) then share
its luck, which the interval allows for (crossed.py).

A failed run is a loss. Differences are of the finished pairs; where runs failed, they are taken a
second time with the guessing score in the place of a failed run's (`failure_score`). A winner has
to win both times: of the runs that finished, and whatever failed. In P(improvement) a failed run
loses.

Nothing is decided where one seed of a factor alone has finished pairs: what another would change
is then unknown. Beside a p-value an interval says the same, or nothing is decided: two-sided ones
go with 95 % intervals, one-sided ones with one-sided bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.analysis.comparison.design import FACTORS, NO_MASK
from study.analysis.comparison.reading import Comparison, Key, Run
from study.analysis.comparison.scale import direction
from study.analysis.comparison.scores.crossed import Estimate, estimate, layout_of
from study.analysis.comparison.scores.questions import Kind, Question
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    holm,
    limits,
    probability_of_improvement,
    weighted_improvement,
    win_matrix,
)
from study.analysis.comparison.scores.summary import failure_score, seeds_of


@dataclass(frozen=True)
class Pair:
    """Configuration a against b on one task; the difference is a - b in the metric's units."""

    question: Question
    differences: dict[Key, float]
    """Of pairs that finished both."""
    with_failures: dict[Key, float]
    """The same of all that ended, a failed run at `failure_score`."""
    pending: int
    """Pairs that are still to end."""
    runs: tuple[int, int]
    failed: tuple[int, int]
    """Runs of a and of b, on any seeds, and how many of them ended without a score."""
    difference: Estimate
    """`p_above` is one-sided for "a is better", also of a loss."""
    charged: Estimate | None
    """Of `with_failures`; None where nothing failed."""
    improvement: float | None
    """The probability that a run of a is better than one of b, any seeds; failed runs lose."""
    improvement_limits: tuple[float, float] | None
    better: bool | None
    """Whether a is the better one on average; None without a difference."""
    masks: tuple[bool, bool]
    """Whether a mask touches a, and b."""
    tests: int = 1
    """Over how many p-values these are corrected."""
    p_corrected: float | None = None
    """Holm's, over all pairs of the same kind in all tasks; None before, or without p-value."""
    p_corrected_two_sided: float | None = None
    """The same of the two-sided p-values; it differs where the question has a direction."""

    @property
    def dropped(self) -> int:
        """Pairs of which a run failed."""
        return len(self.with_failures) - len(self.differences)

    @property
    def masked(self) -> int:
        """How many of the two a mask touches."""
        return sum(self.masks)

    @property
    def plain(self) -> str | None:
        """The one that no mask touches, where one touches the other."""
        if self.masked != 1:
            return None
        return self.question.b if self.masks[0] else self.question.a

    @property
    def seeds(self) -> dict[str, int]:
        """By factor, how many seeds the finished pairs have; no mask where none touches them."""
        found = {f: len({key[n] for key in self.differences}) for n, f in enumerate(FACTORS)}
        return {f: number for f, number in found.items() if f != "mask" or self.masked}

    @property
    def p_two_sided(self) -> float | None:
        """Before correction; None where nothing can be decided."""
        own, charged = self.difference, self.charged
        if charged and own.mean * charged.mean <= 0 and self.differences:
            return self._greater(own.p_value, 1.0)
        return self._greater(own.p_value, charged.p_value if charged else own.p_value)

    @property
    def p_one_sided(self) -> float | None:
        """That a is better, before correction; None where nothing can be decided."""
        own, charged = self.difference, self.charged
        return self._greater(own.p_above, charged.p_above if charged else own.p_above)

    @property
    def p_value(self) -> float | None:
        """What decides, before correction: one-sided where the question has a direction."""
        return self.p_one_sided if self.question.directed else self.p_two_sided

    @property
    def winner(self) -> str | None:
        """The label of the better one, by a corrected p-value of at most 0.05; None if open.

        That a is better is decided one-sided where the question has a direction, that b is
        always two-sided.
        """
        if not (self.question.directed and self.better):
            return self.survivor
        bounds = [one.reach is not None and abs(one.mean) > one.reach for one in self._estimates]
        p = self.p_corrected
        return self.best if p is not None and p <= 0.05 and all(bounds) else None

    @property
    def survivor(self) -> str | None:
        """The label of the better one, two-sided whatever the question is."""
        apart = [
            one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
            for one in self._estimates
        ]
        p = self.p_corrected_two_sided
        return self.best if p is not None and p <= 0.05 and all(apart) else None

    @property
    def best(self) -> str:
        """The label of the better one on average."""
        return self.question.a if self.better else self.question.b

    @property
    def wins(self) -> tuple[int, int]:
        """On how many equal seeds the better one is ahead, and how many there are."""
        sign = 1 if self.difference.mean > 0 else -1
        return sum(sign * d > 0 for d in self.with_failures.values()), len(self.with_failures)

    @property
    def _estimates(self) -> list[Estimate]:
        return [self.difference, *([self.charged] if self.charged else [])]

    def _greater(self, *p_values: float | None) -> float | None:
        known = [p for p in p_values if p is not None]
        if len(known) < len(p_values) or min(self.seeds.values()) < 2:
            return None
        return max(known)

    def has(self, label: str) -> bool:
        """Whether it is about a configuration."""
        return label in (self.question.a, self.question.b)

    def seen_from(self, label: str, charged: bool = False) -> Estimate:
        """Returns the difference of one of the two minus the other; charged: with failures."""
        found = self.charged if charged and self.charged else self.difference
        return found if label == self.question.a else turned(found)


def compare(
    comparison: Comparison,
    metric: str,
    question: Question,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> Pair:
    """Returns one comparison; p-values are not corrected yet."""
    sign = direction(metric)
    runs = [comparison.configurations[label] for label in (question.a, question.b)]
    pairs = paired(*runs)
    ended = {key: pair for key, pair in pairs.items() if all(map(_ended, pair))}
    floor = failure_score(comparison, metric)
    charged = {
        key: one.values.get(metric, floor) - other.values.get(metric, floor)
        for key, (one, other) in ended.items()
    }
    differences = {
        key: charged[key]
        for key, pair in ended.items()
        if all(metric in run.values for run in pair)
    }
    found = _estimate(differences, sign, rng)
    improvement, its_limits = _improvement(runs, metric, sign, bootstrap)
    first, second = runs
    return Pair(
        question=question,
        differences=differences,
        with_failures=charged,
        pending=len(pairs) - len(ended),
        runs=(len(first), len(second)),
        failed=(_failed(first, metric), _failed(second, metric)),
        difference=found,
        charged=None if len(charged) == len(differences) else _estimate(charged, sign, rng),
        improvement=improvement,
        improvement_limits=its_limits,
        better=sign * found.mean > 0 if differences else None,
        masks=(_touched(first), _touched(second)),
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
        two_sided = holm([pairs[place].p_two_sided for place in places])
        tests = max(1, sum(p is not None for p in two_sided))
        for place, p, both in zip(places, decisive, two_sided, strict=True):
            found[place] = replace(
                pairs[place], p_corrected=p, p_corrected_two_sided=both, tests=tests
            )
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


def _failed(runs: Sequence[Run], metric: str) -> int:
    return sum(_ended(run) and metric not in run.values for run in runs)


def _touched(runs: Sequence[Run]) -> bool:
    return any(run.key[0] != NO_MASK for run in runs)


def _estimate(differences: dict[Key, float], sign: int, rng: np.random.Generator) -> Estimate:
    """The mean difference; tests look upwards in the direction that is better."""
    values = sign * np.array(list(differences.values()))
    found = estimate(values, layout_of(tuple(differences)), rng)
    return found if sign > 0 else turned(found)


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
