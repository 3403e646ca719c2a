"""Sentences on a pair of configurations: decision, difference, intervals, failures."""

from collections.abc import Sequence

from study.analysis.comparison.scores.paired import Limits, Pair
from study.analysis.comparison.sentences.numbers import count, listed, rate

FEW = {3: 20, 5: 13}
"""With fewer crossed seeds of a factor than these, up to about so many percent of the tests at 5 %
are false positives, if that factor acts on the difference; see tests/benchmarks/README.md."""


def verdict(pair: Pair) -> str:
    """Returns the sentences on a pair: decision, difference, intervals, pairs ahead."""
    head = pair.question.text
    if not pair.differences:
        return f"{head}: {why_not_compared(pair)}."
    parts = [f"{head}: {_answer(pair)}.", f"Difference (first - second) {_difference(pair)}."]
    wins, of = pair.wins
    equal = "pairs of runs" if pair.independent else "equal seeds"
    ahead = f"{pair.best} is better on {wins} of {of} {equal}"
    if pair.unmasked:
        runs = count(len({key[1:] for key in pair.differences}), "run")
        ahead += f" ({runs} of {pair.unmasked}, each paired with every mask seed)"
    if pair.improvement is not None:
        ahead += f"; P(improvement) {_improvement(pair)}"
    parts.append(f"For a single look: {_single_look(pair)}; {ahead}.")
    if pair.probabilities is not None:
        above, within, below = pair.probabilities
        parts.append(
            f"With flat priors, and without a correction for looks: probability {above:.2f} that "
            f"the first is better by more than {pair.rope:g}, {within:.2f} equal, {below:.2f} "
            "worse."
        )
    if pair.hurdle.any:
        parts.append(_unusable(pair))
    return " ".join(parts) + (few_seeds_warning([pair]) if pair.winner else "")


def how_decided(pairs: Sequence[Pair]) -> str:
    """Returns what the deciding intervals hold for, of pairs that are analysed together."""
    of = "" if pairs[0].family == 1 else f" for all {pairs[0].family} comparisons together"
    known = all(pair.tau is not None for pair in pairs if pair.differences)
    redrawn = any(pair.redrawn for pair in pairs)
    over = "seeds and test sets" if known else "seeds on this test set"
    if redrawn:
        over = "seeds, splits and test rows" if known else "seeds and splits"
    if all(pair.independent for pair in pairs):
        when = "however often they are looked at while pairs are added"
    else:
        when = "for a single look, as the seeds are crossed"
    error = pairs[0].simulated_error
    simulated = (
        ""
        if error is None
        else f" Without any difference, {error:.1%} of simulated comparisons with this number of "
        "pairs and configurations have a wrong decision."
    )
    return (
        f"The intervals that decide hold with 95 % probability{of}, over {over}, {when}. A "
        f"difference below {pairs[0].rope:g} does not matter.{simulated}"
    )


def versus(pair: Pair, leader: str) -> str:
    """Returns `b (a - b = +0.0123 [+0.0010, +0.0236])`, with the interval that decides."""
    rest, sign = other(pair, leader), 1 if leader == pair.question.a else -1
    mean = sign * pair.over_seeds.mean
    limits = pair.deciding
    if limits is not None and sign < 0:
        limits = (-limits[1], -limits[0])
    return f"{rest} ({leader} - {rest} = {mean:+.4f}{_limits(limits)})"


def other(pair: Pair, leader: str) -> str:
    """Returns the label of the configuration that is not the leader."""
    return pair.question.b if leader == pair.question.a else pair.question.a


def why_not_compared(pair: Pair) -> str:
    """Returns why a pair has no difference."""
    labels, rates = (pair.question.a, pair.question.b), (pair.hurdle.a, pair.hurdle.b)
    lost = [
        f"all {count(own.n, 'run')} of {label} failed or collapsed"
        for label, own in zip(labels, rates, strict=True)
        if own.n and own.k == own.n
    ]
    if lost:
        return listed(lost)
    if not pair.pending and all(pair.runs):
        return "each of the pairs has a run that failed or collapsed"
    return "no runs on equal seeds have finished yet"


def few_seeds_warning(pairs: Sequence[Pair]) -> str:
    """Returns a sentence, after a blank, on decisions from few crossed seeds; see `FEW`."""
    seeds = {n: s for pair in pairs if not pair.independent for n, s in pair.seeds.items()}
    for least, share in FEW.items():
        few = [count(number, f"{name} seed") for name, number in seeds.items() if number < least]
        if few:
            return (
                f" With only {listed(few)}, up to about {share} % of such verdicts are false "
                "positives, not 5 %."
            )
    return ""


def _answer(pair: Pair) -> str:
    if pair.winner is not None:
        return f"{pair.winner} is better"
    if pair.decision == "equal":
        return f"practically equal, within {pair.rope:g}"
    return f"undecided{_why_undecided(pair)}"


def _why_undecided(pair: Pair) -> str:
    """Returns why no difference, however large, could be decided; empty otherwise."""
    if pair.withheld:
        more = pair.question.a if pair.hurdle.worse == "a" else pair.question.b
        scores = "equally well" if pair.by_scores == "equal" else "better"
        return (
            f", as {more} scores {scores} but has significantly more runs that failed or collapsed"
        )
    if pair.deciding is not None:
        return ""
    if pair.independent:
        return f", as {count(len(pair.differences), 'pair')} are too few for an interval"
    single = [f"one {name} seed" for name, number in pair.seeds.items() if number < 2]
    if single:
        return f", as only {listed(single)} {'have' if len(single) > 1 else 'has'} finished pairs"
    return f", as all {pair.over_seeds.n} differences are equal, so that their variance is unknown"


def _difference(pair: Pair) -> str:
    """Returns `+0.0123 [+0.0010, +0.0236]` with the interval that decides."""
    return f"{pair.over_seeds.mean:+.4f}{_limits(pair.deciding)}"


def _limits(limits: Limits | None) -> str:
    return ", no interval" if limits is None else f" [{limits[0]:+.4f}, {limits[1]:+.4f}]"


def _single_look(pair: Pair) -> str:
    own = pair.over_seeds
    if own.low is None or own.high is None:
        return "no interval"
    over = "seeds and splits of this table" if pair.redrawn else "seeds"
    text = f"95 % over {over}{_limits((own.low, own.high))}"
    if pair.over_test_sets is not None:
        text += f", over seeds and test sets{_limits(pair.over_test_sets)}"
    elif pair.redrawn:
        text += ", other rows than those of this table not counted"
    else:
        text += ", test set not counted, as there are no stored predictions"
    return text + ("" if own.p_value is None else f", p = {own.p_value:.2g}")


def _unusable(pair: Pair) -> str:
    hurdle = pair.hurdle
    return (
        f"Runs that failed or collapsed: {pair.question.a} {rate(hurdle.a)}, {pair.question.b} "
        f"{rate(hurdle.b)}, p = {hurdle.p_value:.2g}; scores are compared over the others."
    )


def _improvement(pair: Pair) -> str:
    """Returns `0.70 [0.36, 0.98]`, P(improvement) with its 95 % interval."""
    if pair.improvement_limits is None:
        return f"{pair.improvement:.2f}"
    low, high = pair.improvement_limits
    return f"{pair.improvement:.2f} [{low:.2f}, {high:.2f}]"
