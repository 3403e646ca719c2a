"""Comparison of two configurations on equal seeds: difference, intervals, decision.

Both configurations are run with the same seeds, and differences are taken seed by seed (common
random numbers), so that the effect of a seed on both of them cancels. Scores are compared over
pairs in which both runs have a usable score: neither failed nor collapsed. Runs without one are
counted apart (hurdle/), and "better" is withheld from a configuration that has significantly more
of them; so is "equal" from both.

Pairs with fresh seeds are independent. Their confidence sequence (verdict/sequence.py) decides:
it may be looked at after every pair, it counts the test set, and all pairs that are analysed
together share the error of 5 %. In comparisons of earlier versions all configurations have crossed
seeds; there the interval of a crossed design (crossed.py), widened by the test set, decides, which
holds for a single look. There is no decision in them if a factor has only one seed: the variance
due to that factor is then unknown.

Beside the decision every pair has two intervals for a single look, both 95 %: over seeds, on this
test set; and over seeds and test sets.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtr, stdtrit

from study.analysis.comparison.design import NO_MASK
from study.analysis.comparison.results import ComparisonResults, RunResult, SeedKey
from study.analysis.comparison.scores.crossed import LEVEL, MeanEstimate, estimate_mean, layout_of
from study.analysis.comparison.scores.questions import Question
from study.analysis.comparison.scores.statistics import (
    SeedBootstrap,
    limits,
    probability_of_improvement,
    weighted_improvement,
    win_matrix,
)
from study.analysis.comparison.scores.summary import seeds_of
from study.analysis.comparison.verdict.decision import FAMILY_LEVEL, Decision, decide
from study.analysis.comparison.verdict.power import simulated_error
from study.analysis.comparison.verdict.sequence import AnytimeEstimate, anytime_estimate
from study.analysis.hurdle.rates import Hurdle
from study.influence import error_of_difference, error_of_overlap
from study.rates import Rate
from study.spec.comparison.schema import FACTORS
from study.spec.metrics import direction

Limits = tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """Comparison of configurations a and b on one task; differences are a - b, in metric units."""

    question: Question
    sign: int
    """1 if a higher score is better, -1 if a lower one is."""
    differences: dict[SeedKey, float]
    """By seeds, in planned order; pairs in which both runs have a usable score."""
    pending: int
    """Pairs that have not ended yet."""
    runs: tuple[int, int]
    """Runs of a and of b."""
    hurdle: Hurdle
    over_seeds: MeanEstimate
    """The mean difference on this test set, with its 95 % interval and p-value for one look."""
    tau: float | None
    """sd over test sets of the mean difference; None if not known."""
    independent: bool
    """Whether all pairs have fresh seeds, so that the decision holds at every look."""
    improvement: float | None
    """P(a run of a is better than a run of b), over all pairs of runs; failed runs lose."""
    improvement_limits: Limits | None
    """95 % bootstrap interval."""
    masks: tuple[bool, bool]
    """Whether a, and whether b, has a random mask."""
    redrawn: bool = False
    """Whether each pair has test rows of its own, drawn from one table by the data seed."""
    rope: float = 0.0
    """Half-width of the region in which a difference does not matter."""
    family: int = 1
    """Number of pairs that share the error of 5 %."""
    anytime: AnytimeEstimate | None = None
    """Over seeds and test sets, at the level of the family; None for crossed seeds."""
    simulated_error: float | None = None
    """Share of simulated comparisons of this size without any difference in which at least one
    pair is decided wrongly; None for crossed seeds."""
    deciding: Limits | None = None
    """The interval that decides; None without one."""

    @property
    def by_scores(self) -> Decision:
        """What the usable scores alone decide."""
        low, high = self.deciding or (None, None)
        return decide(low, high, self.rope, self.sign)

    @property
    def decision(self) -> Decision:
        """Whether a is better or worse than b, or equal within the rope."""
        return "undecided" if self.withheld else self.by_scores

    @property
    def withheld(self) -> bool:
        """Whether significantly more runs without a usable score contradict the scores.

        They do if the better configuration has them, or either of two that score equally.
        """
        against = {"better": "a", "worse": "b", "equal": "ab"}.get(self.by_scores, "")
        return self.hurdle.worse is not None and self.hurdle.worse in against

    @property
    def winner(self) -> str | None:
        """The label of the better configuration; None if equal or undecided."""
        decision = self.decision
        if decision == "better":
            return self.question.a
        return self.question.b if decision == "worse" else None

    @property
    def over_test_sets(self) -> Limits | None:
        """The 95 % interval over seeds and test sets for a single look; None if not known."""
        return with_test_sets(self.over_seeds, self.tau, LEVEL, self.independent)

    @property
    def error_over_seeds(self) -> float | None:
        """Standard error of the difference over seeds, on this test set."""
        own = self.over_seeds
        if own.high is None or own.n < 2:
            return None
        return (own.high - own.mean) / float(stdtrit(own.n - 1, (1 + LEVEL) / 2))

    @property
    def error(self) -> float | None:
        """Standard error of the difference over seeds and, where known, test sets."""
        own, sets = self.over_seeds, self.over_test_sets
        high = own.high if sets is None else sets[1]
        if high is None or own.n < 2:
            return None
        return (high - own.mean) / float(stdtrit(own.n - 1, (1 + LEVEL) / 2))

    @property
    def probabilities(self) -> tuple[float, float, float] | None:
        """Posterior probabilities that a is better, equal within the rope, and worse.

        With flat priors the difference over seeds and test sets, where these are known, has
        Student's distribution around the mean (Benavoli, Corani, Demsar and Zaffalon 2017). It
        is not corrected for looks or other pairs. None without an interval.
        """
        own, spread = self.over_seeds, self.error
        if spread is None or not self.independent:
            return None
        above, below = (
            float(stdtr(own.n - 1, (side * own.mean - self.rope) / spread))
            for side in (self.sign, -self.sign)
        )
        return above, max(0.0, 1 - above - below), below

    @property
    def better(self) -> bool | None:
        """Whether a has the better mean; None without a difference."""
        return self.sign * self.over_seeds.mean > 0 if self.differences else None

    @property
    def best(self) -> str:
        """The label of the configuration with the better mean."""
        return self.question.a if self.better else self.question.b

    @property
    def masked(self) -> int:
        """How many of the two configurations have a random mask: 0, 1 or 2."""
        return sum(self.masks)

    @property
    def unmasked(self) -> str | None:
        """The label of the one without a mask, if its runs are paired with several mask seeds."""
        if self.masked != 1 or self.independent:
            return None
        return self.question.b if self.masks[0] else self.question.a

    @property
    def seeds(self) -> dict[str, int]:
        """Number of seeds with usable pairs, by factor; without `mask` if neither has one."""
        counts = {
            factor: len({key[column] for key in self.differences})
            for column, factor in enumerate(FACTORS)
        }
        return {f: number for f, number in counts.items() if f != "mask" or self.masked}

    @property
    def wins(self) -> tuple[int, int]:
        """On how many equal seeds the better configuration is ahead, and the number of these."""
        sign = 1 if self.over_seeds.mean > 0 else -1
        ahead = [sign * difference > 0 for difference in self.differences.values()]
        return sum(ahead), len(ahead)

    @property
    def values(self) -> Float[np.ndarray, " n"]:
        """The differences in planned order."""
        return np.array(list(self.differences.values()))

    def includes(self, label: str) -> bool:
        """Whether a configuration is one of the two."""
        return label in (self.question.a, self.question.b)


def compare(
    comparison: ComparisonResults,
    metric: str,
    question: Question,
    usable: Mapping[str, Sequence[RunResult]],
    influences: Mapping[int | None, Float[np.ndarray, " rows"]],
    share: float | None,
    bootstrap: SeedBootstrap,
    rng: np.random.Generator,
) -> Pair:
    """Returns the comparison of two configurations; `decided` adds the decision.

    Args:
        comparison: the runs.
        metric: a column of results.csv.
        question: the two configurations.
        usable: by label, the runs that neither failed nor collapsed.
        influences: by run number, the influence of every row of the split on the metric.
        share: of the table, which test sets have that data seeds draw; None: all have the same.
        bootstrap: of the seeds.
        rng: draws null distributions.
    """
    sign = direction(metric)
    first, second = (comparison.configurations[label] for label in (question.a, question.b))
    numbers = {run.number for label in (question.a, question.b) for run in usable[label]}
    pairs = paired(first, second)
    independent = layout_of(tuple(pairs)).independent
    ended = _ended_pairs(pairs, independent)
    good = {key: p for key, p in ended.items() if all(run.number in numbers for run in p)}
    differences = {key: a.values[metric] - b.values[metric] for key, (a, b) in good.items()}
    improvement, improvement_limits = _improvement((first, second), metric, sign, bootstrap)
    return Pair(
        question=question,
        sign=sign,
        differences=differences,
        pending=sum(not all(map(_ended, pair)) for pair in pairs.values()),
        runs=(len(first), len(second)),
        hurdle=_hurdle((first, second), ended if independent else None, numbers),
        over_seeds=estimate_mean(
            np.array(list(differences.values())), layout_of(tuple(differences)), rng
        ),
        tau=_tau(good, influences, np.array(list(differences.values())), share),
        independent=independent,
        improvement=improvement,
        improvement_limits=improvement_limits,
        masks=(_has_mask(first), _has_mask(second)),
        redrawn=share is not None,
    )


def decided(pairs: Sequence[Pair], rope: float, rng: np.random.Generator) -> list[Pair]:
    """Returns the pairs with their decisions; together they share the error of 5 %."""
    error = None
    if pairs and all(pair.independent for pair in pairs):
        compared = [(pair.question.a, pair.question.b) for pair in pairs]
        most = max(len(pair.differences) for pair in pairs)
        error = simulated_error(compared, most, FAMILY_LEVEL / len(pairs), rng)
    return [
        replace(_decided(pair, rope, len(pairs), rng), simulated_error=error) for pair in pairs
    ]


def _decided(pair: Pair, rope: float, family: int, rng: np.random.Generator) -> Pair:
    level, values = FAMILY_LEVEL / family, pair.values
    pair = replace(pair, rope=rope, family=family, hurdle=replace(pair.hurdle, level=level))
    if pair.independent:
        anytime = anytime_estimate(values, pair.tau or 0.0, level)
        known = anytime.low is not None and anytime.high is not None
        own = (anytime.low or 0.0, anytime.high or 0.0) if known else None
        return replace(pair, anytime=anytime, deciding=own)
    if min(pair.seeds.values(), default=0) < 2:
        return pair
    layout = layout_of(tuple(pair.differences))
    estimate = estimate_mean(values, layout, rng, level=1 - level)
    own = with_test_sets(estimate, pair.tau or 0.0, 1 - level, independent=False)
    return replace(pair, deciding=own)


def paired(
    a: Sequence[RunResult], b: Sequence[RunResult]
) -> dict[SeedKey, tuple[RunResult, RunResult]]:
    """Returns the pairs of runs with equal seeds, by these seeds, in the order of `a`.

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
            pairs.pop(partner.key, None)
            pairs.setdefault(run.key, (partner, run))
    return pairs


def _ended_pairs(
    pairs: dict[SeedKey, tuple[RunResult, RunResult]], independent: bool
) -> dict[SeedKey, tuple[RunResult, RunResult]]:
    """Returns the pairs that have ended; of independent ones those before the first that has not.

    How long a run takes may depend on how it goes, so that pairs are not taken as they end.
    """
    ended: dict[SeedKey, tuple[RunResult, RunResult]] = {}
    for key, pair in pairs.items():
        if all(map(_ended, pair)):
            ended[key] = pair
        elif independent:
            break
    return ended


def _hurdle(
    runs: tuple[Sequence[RunResult], Sequence[RunResult]],
    pairs: Mapping[SeedKey, tuple[RunResult, RunResult]] | None,
    usable: set[int | None],
) -> Hurdle:
    """Returns the runs of both without a usable score; by pair if pairs are independent."""
    ended = [[run for run in own if _ended(run)] for own in runs]
    a, b = (Rate(sum(run.number not in usable for run in own), len(own)) for own in ended)
    if pairs is None:
        return Hurdle(a, b, None, None)
    lost = [tuple(run.number not in usable for run in pair) for pair in pairs.values()]
    return Hurdle(a, b, lost.count((True, False)), lost.count((False, True)))


def _tau(
    pairs: Mapping[SeedKey, tuple[RunResult, RunResult]],
    influences: Mapping[int | None, Float[np.ndarray, " rows"]],
    differences: Float[np.ndarray, " n"],
    share: float | None,
) -> float | None:
    known = [
        (influences[a.number], influences[b.number])
        for a, b in pairs.values()
        if a.number in influences and b.number in influences
    ]
    if known:
        a, b = (np.array(own) for own in zip(*known, strict=True))
        return error_of_difference(a, b)
    if share is None or len(differences) < 2:
        return None
    return error_of_overlap(differences, share)


def with_test_sets(
    estimate: MeanEstimate, tau: float | None, level: float, independent: bool
) -> Limits | None:
    """Returns the interval with the error of the test set added to that of the seeds."""
    if tau is None or estimate.low is None or estimate.high is None:
        return None
    if not independent:
        z = float(ndtri((1 + level) / 2))
        half = math.hypot(estimate.high - estimate.mean, z * tau)
        return estimate.mean - half, estimate.mean + half
    quantile = float(stdtrit(estimate.n - 1, (1 + LEVEL) / 2))
    of_seeds = ((estimate.high - estimate.mean) / quantile) ** 2
    total = of_seeds + tau**2
    # Welch and Satterthwaite: only the part of the seeds is estimated from few values.
    freedom = (estimate.n - 1) * (total / of_seeds) ** 2
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(total)
    half = max(half, estimate.high - estimate.mean)  # More rows never narrow it.
    return estimate.mean - half, estimate.mean + half


def _ended(run: RunResult) -> bool:
    return run.state in ("complete", "failed")


def _has_mask(runs: Sequence[RunResult]) -> bool:
    return any(run.key[0] != NO_MASK for run in runs)


def _improvement(
    runs: tuple[Sequence[RunResult], Sequence[RunResult]],
    metric: str,
    sign: int,
    bootstrap: SeedBootstrap,
) -> tuple[float | None, Limits | None]:
    """Returns P(improvement) with its 95 % bootstrap interval."""
    ended = [[run for run in own if _ended(run)] for own in runs]
    if not all(ended):
        return None, None
    scores = [
        np.array([sign * run.values.get(metric, -sign * np.inf) for run in own]) for own in ended
    ]
    wins = win_matrix(*scores)
    weights = [bootstrap.weights(seeds_of(own)) for own in ended]
    probability = probability_of_improvement(wins)
    if min(map(len, ended)) < 2:
        return probability, None
    drawn = weighted_improvement(wins, *weights)
    return probability, limits(drawn, probability, bootstrap.widening, 0.0, 1.0)
