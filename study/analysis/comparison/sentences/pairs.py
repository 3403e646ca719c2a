"""What is said of a pair: which is better, by how much, on how many seeds, and what failed."""

from study.analysis.comparison.scores.crossed import Estimate
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.sentences.numbers import count, listed

FEW = 3
"""Seeds of a factor below which tests at 5 % call more false alarms than they say."""


def verdict(pair: Pair) -> str:
    """Returns a whole sentence on a pair: what is settled, difference, p-value, seeds ahead."""
    head = pair.question.text
    if not pair.differences:
        return f"{head}: {nothing(pair)}."
    wins, of = pair.wins
    numbers = f"difference {_size(pair)}; {pair.best} is ahead on {wins} of {of} equal seeds"
    if pair.plain:
        cells = len({key[1:] for key in pair.with_failures})
        runs = count(cells, "run")
        numbers += f" (but {pair.plain} has {runs} there, each counted for every mask)"
    if pair.improvement is not None:
        numbers += f", P(improvement) {probability(pair)}"
    if pair.charged is not None:
        numbers += (
            f"; {count(pair.dropped, 'pair')} with a failed run: with these as guessing the "
            f"difference is {signed(pair.charged)}, and whoever wins has to win both ways"
        )
    return f"{head}: {_answer(pair)}; {numbers}.{alarm([pair]) if pair.winner else ''}"


def versus(pair: Pair, leader: str) -> str:
    """The other configuration, and what the leader's score is above its; two-sided."""
    told = f"{other(pair, leader)} ({signed(pair.seen_from(leader))}, {_p_two_sided(pair)}"
    if pair.charged is not None:
        told += f"; with failed runs as guessing {signed(pair.seen_from(leader, charged=True))}"
    return told + ")"


def other(pair: Pair, leader: str) -> str:
    """The label of the other configuration."""
    return pair.question.b if leader == pair.question.a else pair.question.a


def nothing(pair: Pair) -> str:
    """Why a pair has no difference."""
    labels = (pair.question.a, pair.question.b)
    gone = [
        f"all {count(runs, 'run')} of {label} failed"
        for label, runs, failed in zip(labels, pair.runs, pair.failed, strict=True)
        if runs and runs == failed
    ]
    if gone:
        return listed(gone)
    if pair.with_failures and not pair.pending:
        return f"each of the {count(len(pair.with_failures), 'pair')} has a failed run"
    return "there are no finished runs on equal seeds yet"


def alarm(pairs: list[Pair]) -> str:
    """A sentence, after a blank, on verdicts from fewer than three seeds; empty without any."""
    few = {name: number for pair in pairs for name, number in pair.seeds.items() if number < FEW}
    if not few:
        return ""
    named = listed([count(number, f"{name} seed") for name, number in few.items()])
    return f" With {named} alone up to about 20 % of such verdicts are false alarms, not 5 %."


def signed(found: Estimate) -> str:
    """Returns `+0.0123 [+0.0010, +0.0236]`."""
    if found.low is None or found.high is None:
        return f"{found.mean:+.4f}, no interval"
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def probability(pair: Pair) -> str:
    """Returns `0.70 [0.36, 0.98]`: P(improvement) with its limits."""
    if pair.improvement_limits is None:
        return f"{pair.improvement:.2f}"
    low, high = pair.improvement_limits
    return f"{pair.improvement:.2f} [{low:.2f}, {high:.2f}]"


def _answer(pair: Pair) -> str:
    if pair.winner is None:
        return f"undecided{_why_open(pair)}"
    if pair.question.directed:
        return f"{'yes' if pair.better else 'no'}, {pair.winner} is better"
    return f"{pair.winner} is better"


def _why_open(pair: Pair) -> str:
    """What forbids a decision, whatever the difference is."""
    single = [f"one {name} seed" for name, number in pair.seeds.items() if number < 2]
    if single:
        return f", as {listed(single)} alone {'have' if len(single) > 1 else 'has'} finished pairs"
    own = pair.difference
    if own.p_value is None and own.n > 1:
        return f", as all {own.n} differences are alike: no spread was seen to judge them by"
    if pair.charged is not None and own.mean * pair.charged.mean <= 0:
        return ", as failed runs turn the difference round"
    return ""


def _size(pair: Pair) -> str:
    """Difference and p-value: one-sided with a bound where that decides, else two-sided."""
    own = pair.difference
    if not (pair.question.directed and pair.better) or own.reach is None:
        return f"{signed(own)}, {_p_two_sided(pair)}"
    least = own.mean - own.reach if own.mean > 0 else own.mean + own.reach
    word = "least" if own.mean > 0 else "most"
    p = _p("one-sided p", pair.p_one_sided, pair.p_corrected)
    return f"{own.mean:+.4f}, at {word} {least:+.4f} by a one-sided 95 % bound, {p}"


def _p_two_sided(pair: Pair) -> str:
    return _p("p", pair.p_two_sided, pair.p_corrected_two_sided)


def _p(kind: str, p: float | None, corrected: float | None) -> str:
    """Returns a p-value, and the corrected one where it differs."""
    if p is None or corrected is None:
        return "no p-value"
    return f"{kind} = {p:.2g}" + ("" if corrected == p else f", corrected {corrected:.2g}")
