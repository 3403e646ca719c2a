"""Sentences on a pair of configurations: verdict, difference, interval, p-value, failures."""

from collections.abc import Sequence

from study.analysis.comparison.scores.crossed import MeanEstimate
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.sentences.numbers import count, listed

FEW = 3
"""With fewer seeds of a factor the error rate of tests at 5 % is far higher than 5 %."""


def verdict(pair: Pair) -> str:
    """Returns the sentence on a pair: verdict, difference, p-value, number of seeds ahead."""
    head = pair.question.text
    if not pair.differences:
        return f"{head}: {why_not_compared(pair)}."
    wins, of = pair.wins
    numbers = (
        f"difference (first - second) {_difference(pair)}; {pair.best} is better on {wins} of "
        f"{of} equal seeds"
    )
    if pair.unmasked:
        runs = count(len({key[1:] for key in pair.imputed_differences}), "run")
        numbers += f" ({runs} of {pair.unmasked}, each paired with every mask seed)"
    if pair.improvement is not None:
        numbers += f", P(improvement) {_improvement(pair)}"
    if pair.imputed_difference is not None:
        numbers += (
            f"; {count(pair.failed_pairs, 'pair')} with a failed run: if failed runs score as "
            f"guessing, the difference is {signed(pair.imputed_difference)}, and a verdict needs "
            "both differences to be significant"
        )
    return f"{head}: {_answer(pair)}; {numbers}.{few_seeds_warning([pair]) if pair.winner else ''}"


def versus(pair: Pair, leader: str) -> str:
    """Returns `b (a - b = +0.0123 [+0.0010, +0.0236], p = 0.03)`; the p-value is two-sided."""
    rest = other(pair, leader)
    difference = f"{leader} - {rest} = {signed(pair.relative_to(leader))}"
    text = f"{rest} ({difference}, {_p_two_sided(pair)}"
    if pair.imputed_difference is not None:
        imputed = pair.relative_to(leader, imputed=True)
        text += f"; if failed runs score as guessing {signed(imputed)}"
    return text + ")"


def other(pair: Pair, leader: str) -> str:
    """Returns the label of the configuration that is not the leader."""
    return pair.question.b if leader == pair.question.a else pair.question.a


def why_not_compared(pair: Pair) -> str:
    """Returns why a pair has no difference."""
    labels = (pair.question.a, pair.question.b)
    all_failed = [
        f"all {count(runs, 'run')} of {label} failed"
        for label, runs, failed in zip(labels, pair.runs, pair.failed, strict=True)
        if runs and runs == failed
    ]
    if all_failed:
        return listed(all_failed)
    if pair.imputed_differences and not pair.pending:
        return f"each of the {count(len(pair.imputed_differences), 'pair')} has a failed run"
    return "no runs on equal seeds have finished yet"


def few_seeds_warning(pairs: Sequence[Pair]) -> str:
    """Returns a sentence, after a blank, on verdicts from fewer than three seeds; or empty."""
    few = {name: number for pair in pairs for name, number in pair.seeds.items() if number < FEW}
    if not few:
        return ""
    named = listed([count(number, f"{name} seed") for name, number in few.items()])
    return f" With only {named}, up to about 20 % of such verdicts are false positives, not 5 %."


def signed(estimate: MeanEstimate) -> str:
    """Returns `+0.0123 [+0.0010, +0.0236]`, a difference with its 95 % interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:+.4f}, no interval"
    return f"{estimate.mean:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"


def _improvement(pair: Pair) -> str:
    """Returns `0.70 [0.36, 0.98]`, P(improvement) with its 95 % interval."""
    if pair.improvement_limits is None:
        return f"{pair.improvement:.2f}"
    low, high = pair.improvement_limits
    return f"{pair.improvement:.2f} [{low:.2f}, {high:.2f}]"


def _answer(pair: Pair) -> str:
    if pair.winner is None:
        return f"undecided{_why_undecided(pair)}"
    if pair.question.directed:
        return f"{'yes' if pair.better else 'no'}, {pair.winner} is better"
    return f"{pair.winner} is better"


def _why_undecided(pair: Pair) -> str:
    """Returns why no difference, however large, could be significant; empty otherwise."""
    single = [f"one {name} seed" for name, number in pair.seeds.items() if number < 2]
    if single:
        return f", as only {listed(single)} {'have' if len(single) > 1 else 'has'} finished pairs"
    own, imputed = pair.difference, pair.imputed_difference
    if own.p_value is None and own.n > 1:
        return f", as all {own.n} differences are equal, so that their variance is unknown"
    if imputed is not None and own.mean * imputed.mean <= 0:
        return ", as failed runs reverse the sign of the difference"
    return ""


def _difference(pair: Pair) -> str:
    """Returns difference and p-value: with a one-sided bound if that decides, else two-sided."""
    own = pair.difference
    if not (pair.question.directed and pair.better) or own.one_sided_reach is None:
        return f"{signed(own)}, {_p_two_sided(pair)}"
    positive = own.mean > 0
    bound = own.mean - own.one_sided_reach if positive else own.mean + own.one_sided_reach
    p = _p("one-sided p", pair.p_one_sided, pair.p_corrected)
    side = "lower" if positive else "upper"
    return f"{own.mean:+.4f} (one-sided 95 % {side} bound {bound:+.4f}), {p}"


def _p_two_sided(pair: Pair) -> str:
    return _p("p", pair.p_two_sided, pair.p_corrected_two_sided)


def _p(kind: str, p: float | None, corrected: float | None) -> str:
    """Returns a p-value, and the corrected one if it differs."""
    if p is None or corrected is None:
        return "no p-value"
    return f"{kind} = {p:.2g}" + ("" if corrected == p else f", corrected {corrected:.2g}")
