"""Paired comparison of two configurations: mean difference, interval, p-value, P(improvement).

Both configurations are run with the same seeds, and differences are taken seed by seed (common
random numbers), so that the effect of a seed on both of them cancels. A configuration without a
random mask has one run for each (init, data) pair of seeds. That run is paired with every mask
seed of the other configuration; pairs that share it are not independent, which the interval
accounts for (crossed.py).

Failed runs. `difference` is over pairs in which both runs finished. Where runs failed, it is
computed a second time with the score of a failed run imputed (`failure_score`). A configuration
wins only if both estimates are significant. In P(improvement) a failed run loses against every
finished one.

No winner is named if a factor (mask, init, data) has finished pairs with one seed only: the
variance due to that factor is then unknown. A winner needs a corrected p-value of at most 0.05 and
an interval that excludes zero: 95 % two-sided intervals for two-sided tests, one-sided 95 % bounds
for one-sided tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.analysis.comparison.design import NO_MASK
from study.analysis.comparison.results import ComparisonResults, RunResult, SeedKey
from study.analysis.comparison.scores.crossed import MeanEstimate, estimate_mean, layout_of
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
from study.spec.comparison.schema import FACTORS
from study.spec.metrics import direction

LEVEL = 0.05
"""Significance level of corrected p-values."""


@dataclass(frozen=True)
class Pair:
    """Comparison of configurations a and b on one task; differences are a - b, in metric units."""

    question: Question
    differences: dict[SeedKey, float]
    """By seeds; pairs in which both runs finished."""
    imputed_differences: dict[SeedKey, float]
    """By seeds; all pairs that ended, a failed run at `failure_score`."""
    pending: int
    """Pairs that have not ended yet."""
    runs: tuple[int, int]
    failed: tuple[int, int]
    """Runs of a and of b, whatever their seeds, and how many of them ended without a score."""
    difference: MeanEstimate
    """`p_greater` is one-sided for "a is better", whichever direction of the metric is better."""
    imputed_difference: MeanEstimate | None
    """Mean of `imputed_differences`; None if no run failed."""
    improvement: float | None
    """P(a run of a is better than a run of b), over all pairs of runs; failed runs lose."""
    improvement_limits: tuple[float, float] | None
    """95 % bootstrap interval."""
    better: bool | None
    """Whether a has the better mean; None without a difference."""
    masks: tuple[bool, bool]
    """Whether a, and whether b, has a random mask."""
    tests: int = 1
    """Number of p-values that are corrected together."""
    p_corrected: float | None = None
    """Holm's correction of `p_value`, over all pairs of the same kind in all tasks; None before
    the correction, or without a p-value."""
    p_corrected_two_sided: float | None = None
    """Holm's correction of `p_two_sided`."""

    @property
    def failed_pairs(self) -> int:
        """Number of pairs in which at least one run failed."""
        return len(self.imputed_differences) - len(self.differences)

    @property
    def masked(self) -> int:
        """How many of the two configurations have a random mask: 0, 1 or 2."""
        return sum(self.masks)

    @property
    def unmasked(self) -> str | None:
        """The label of the configuration without a mask, if exactly one has a mask."""
        if self.masked != 1:
            return None
        return self.question.b if self.masks[0] else self.question.a

    @property
    def seeds(self) -> dict[str, int]:
        """Number of seeds with finished pairs, by factor; without `mask` if neither has one."""
        counts = {
            factor: len({key[column] for key in self.differences})
            for column, factor in enumerate(FACTORS)
        }
        return {f: number for f, number in counts.items() if f != "mask" or self.masked}

    @property
    def p_two_sided(self) -> float | None:
        """Two-sided p-value before correction; None if nothing can be decided.

        With failures the larger of two p-values; 1 if imputation reverses the sign.
        """
        own, imputed = self.difference, self.imputed_difference
        if imputed and own.mean * imputed.mean <= 0 and self.differences:
            return self._larger(own.p_value, 1.0)
        return self._larger(own.p_value, imputed.p_value if imputed else own.p_value)

    @property
    def p_one_sided(self) -> float | None:
        """One-sided p-value of "a is better", uncorrected; None if nothing can be decided."""
        own, imputed = self.difference, self.imputed_difference
        return self._larger(own.p_greater, imputed.p_greater if imputed else own.p_greater)

    @property
    def p_value(self) -> float | None:
        """The p-value that decides, before correction: one-sided for a directed question."""
        return self.p_one_sided if self.question.directed else self.p_two_sided

    @property
    def winner(self) -> str | None:
        """The label of the significantly better configuration; None if undecided.

        For a directed question "a is better" is tested one-sided, "b is better" two-sided.
        """
        if not (self.question.directed and self.better):
            return self.two_sided_winner
        bounds = [
            estimate.one_sided_reach is not None and abs(estimate.mean) > estimate.one_sided_reach
            for estimate in self._estimates
        ]
        p = self.p_corrected
        return self.best if p is not None and p <= LEVEL and all(bounds) else None

    @property
    def two_sided_winner(self) -> str | None:
        """The label of the significantly better configuration by two-sided tests; else None."""
        excludes_zero = [
            estimate.low is not None
            and estimate.high is not None
            and (estimate.low > 0 or estimate.high < 0)
            for estimate in self._estimates
        ]
        p = self.p_corrected_two_sided
        return self.best if p is not None and p <= LEVEL and all(excludes_zero) else None

    @property
    def best(self) -> str:
        """The label of the configuration with the better mean."""
        return self.question.a if self.better else self.question.b

    @property
    def wins(self) -> tuple[int, int]:
        """On how many equal seeds the better configuration is ahead, and the number of these."""
        sign = 1 if self.difference.mean > 0 else -1
        ahead = [sign * difference > 0 for difference in self.imputed_differences.values()]
        return sum(ahead), len(ahead)

    @property
    def _estimates(self) -> list[MeanEstimate]:
        return [self.difference, *([self.imputed_difference] if self.imputed_difference else [])]

    def _larger(self, *p_values: float | None) -> float | None:
        """The larger p-value; None if one is unknown or a factor has a single seed."""
        known = [p for p in p_values if p is not None]
        if len(known) < len(p_values) or min(self.seeds.values()) < 2:
            return None
        return max(known)

    def includes(self, label: str) -> bool:
        """Whether a configuration is one of the two."""
        return label in (self.question.a, self.question.b)

    def relative_to(self, label: str, imputed: bool = False) -> MeanEstimate:
        """Returns the mean difference as `label` minus the other configuration."""
        estimate = self.difference
        if imputed and self.imputed_difference:
            estimate = self.imputed_difference
        return estimate if label == self.question.a else negated(estimate)


def compare(
    comparison: ComparisonResults,
    metric: str,
    question: Question,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> Pair:
    """Returns the comparison of two configurations; its p-values are not corrected yet."""
    sign = direction(metric)
    first, second = (comparison.configurations[label] for label in (question.a, question.b))
    pairs = paired(first, second)
    ended = {key: pair for key, pair in pairs.items() if all(map(_ended, pair))}
    floor = failure_score(comparison, metric)
    imputed = {
        key: one.values.get(metric, floor) - other.values.get(metric, floor)
        for key, (one, other) in ended.items()
    }
    differences = {
        key: imputed[key]
        for key, pair in ended.items()
        if all(metric in run.values for run in pair)
    }
    difference = _mean_difference(differences, sign, rng)
    improvement, improvement_limits = _improvement((first, second), metric, sign, bootstrap)
    any_failed = len(imputed) > len(differences)
    return Pair(
        question=question,
        differences=differences,
        imputed_differences=imputed,
        pending=len(pairs) - len(ended),
        runs=(len(first), len(second)),
        failed=(_failed(first, metric), _failed(second, metric)),
        difference=difference,
        imputed_difference=_mean_difference(imputed, sign, rng) if any_failed else None,
        improvement=improvement,
        improvement_limits=improvement_limits,
        better=sign * difference.mean > 0 if differences else None,
        masks=(_has_mask(first), _has_mask(second)),
    )


def paired(
    a: Sequence[RunResult], b: Sequence[RunResult]
) -> dict[SeedKey, tuple[RunResult, RunResult]]:
    """Returns the pairs of runs with equal seeds, by these seeds.

    A run without a mask seed is paired with every run of the same init and data seeds.
    """
    by_key = {run.key: run for run in b}
    unmasked = {run.key[1:]: run for run in b if run.key[0] == NO_MASK}
    pairs: dict[SeedKey, tuple[RunResult, RunResult]] = {}
    for run in a:
        if (other := by_key.get(run.key) or unmasked.get(run.key[1:])) is not None:
            pairs[run.key] = (run, other)
    own = {run.key[1:]: run for run in a if run.key[0] == NO_MASK}
    for run in b:
        if run.key[0] != NO_MASK and (partner := own.get(run.key[1:])) is not None:
            pairs.setdefault(run.key, (partner, run))
    return pairs


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """Returns the pairs with Holm-corrected p-values, one family for each kind of question."""
    result = list(pairs)
    kinds: set[Kind] = {pair.question.kind for pair in pairs}
    for kind in kinds:
        places = [place for place, pair in enumerate(pairs) if pair.question.kind == kind]
        decisive = holm([pairs[place].p_value for place in places])
        two_sided = holm([pairs[place].p_two_sided for place in places])
        tests = max(1, sum(p is not None for p in two_sided))
        for place, p, both in zip(places, decisive, two_sided, strict=True):
            result[place] = replace(
                pairs[place], p_corrected=p, p_corrected_two_sided=both, tests=tests
            )
    return result


def negated(estimate: MeanEstimate) -> MeanEstimate:
    """Returns the estimate with the sign of mean and limits reversed; p-values are unchanged."""
    low, high = estimate.low, estimate.high
    return replace(
        estimate,
        mean=-estimate.mean,
        low=None if high is None else -high,
        high=None if low is None else -low,
    )


def _ended(run: RunResult) -> bool:
    return run.state in ("complete", "failed")


def _failed(runs: Sequence[RunResult], metric: str) -> int:
    return sum(_ended(run) and metric not in run.values for run in runs)


def _has_mask(runs: Sequence[RunResult]) -> bool:
    return any(run.key[0] != NO_MASK for run in runs)


def _mean_difference(
    differences: dict[SeedKey, float], sign: int, rng: np.random.Generator
) -> MeanEstimate:
    """Returns the mean difference; the one-sided test is for the better direction (`sign`)."""
    values = sign * np.array(list(differences.values()))
    estimate = estimate_mean(values, layout_of(tuple(differences)), rng)
    return estimate if sign > 0 else negated(estimate)


def _improvement(
    runs: tuple[Sequence[RunResult], Sequence[RunResult]],
    metric: str,
    sign: int,
    bootstrap: SeedBootstrap,
) -> tuple[float | None, tuple[float, float] | None]:
    """Returns P(improvement) with its 95 % bootstrap interval."""
    ended = [[run for run in own if _ended(run)] for own in runs]
    if not all(ended):
        return None, None
    scores = [
        np.array([sign * run.values.get(metric, -sign * np.inf) for run in own]) for own in ended
    ]
    wins = win_matrix(*scores)
    weights = [bootstrap.weights(seeds_of(own)) for own in ended]
    enough = min(map(len, ended)) > 1
    drawn = limits(weighted_improvement(wins, *weights)) if enough else None
    return probability_of_improvement(wins), drawn
