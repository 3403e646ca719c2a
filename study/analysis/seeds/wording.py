"""How numbers, intervals and p-values read in a sentence."""

from collections.abc import Sequence

from study.analysis.seeds.crossed import Estimate
from study.analysis.seeds.further import Plan
from study.analysis.seeds.paired import Pair
from study.analysis.tables import shown

NAMED = 4
"""How many of a kind are named before "and so many more"."""


def interval(found: Estimate) -> str:
    """Returns `0.5712 (95 % interval 0.5601 to 0.5823)`."""
    if found.low is None or found.high is None:
        return f"{shown(found.mean)} (no interval from {count(found.n, 'run')})"
    return f"{shown(found.mean)} (95 % interval {shown(found.low)} to {shown(found.high)})"


def verdict(pair: Pair) -> str:
    """Returns a whole sentence on a pair: what is settled, difference, p-value, seeds ahead."""
    question, found = pair.question, pair.difference
    head = question.text
    if not pair.differences:
        return f"{head}: there are no finished runs on equal seeds yet."
    wins, of = pair.wins
    numbers = f"difference {signed(found)}, {p_text(pair)}; "
    numbers += f"{pair.best} is ahead on {wins} of {of} equal seeds"
    if pair.improvement is not None:
        numbers += f", P(improvement) {probability(pair)}"
    if pair.dropped:
        numbers += f" ({count(pair.dropped, 'pair')} with a failed run left out)"
    if pair.winner is None:
        answer = "undecided"
    elif question.directed:
        answer = f"{'yes' if pair.better else 'no'}, {pair.winner} is better"
    else:
        answer = f"{pair.winner} is better"
    return f"{head}: {answer}; {numbers}."


def versus(pair: Pair, leader: str) -> str:
    """The other configuration, and what the leader's score is above its."""
    other = pair.question.b if leader == pair.question.a else pair.question.a
    return f"{other} ({signed(pair.seen_from(leader))}, {p_text(pair)})"


def signed(found: Estimate) -> str:
    """Returns `+0.0123 [+0.0010, +0.0236]`."""
    if found.low is None or found.high is None:
        return f"{found.mean:+.4f}, no interval"
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def p_text(pair: Pair) -> str:
    """Returns the p-value that decides, and the corrected one where it differs."""
    if pair.p_value is None or pair.p_corrected is None:
        return "no p-value"
    p, corrected, kind = pair.p_value, pair.p_corrected, "p"
    if pair.question.directed and pair.better:
        kind = "one-sided p"
    elif pair.question.directed:
        p, corrected = pair.difference.p_value or p, pair.p_corrected_two_sided or corrected
    more = "" if corrected == p else f", corrected {corrected:.2g}"
    return f"{kind} = {p:.2g}{more}"


def probability(pair: Pair) -> str:
    """Returns `0.70 [0.36, 0.98]`: P(improvement) with its limits."""
    if pair.improvement_limits is None:
        return f"{pair.improvement:.2f}"
    low, high = pair.improvement_limits
    return f"{pair.improvement:.2f} [{low:.2f}, {high:.2f}]"


def needed(plan: Plan) -> str:
    """Returns what a plan asks for, or why there is none."""
    if plan.reason:
        told = f"no crossed design can be named ({plan.reason})"
    elif plan.further:
        told = (
            f"about {plan.further} further runs, {plan.mask} x {plan.init} x {plan.data} mask, "
            "init and data seeds in all"
        )
    else:
        told = "the interval excludes zero, but the p-value is not below 5 % (after correction)"
    if plan.fresh:
        told += f"; or {plan.fresh} runs of each that share no seed with one another"
    return told


def percent(share: float) -> str:
    """Returns `37 %`, with a decimal below 10 %."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def count(number: int, what: str) -> str:
    """Returns `3 runs`, `1 run`."""
    return f"{number} {what}{'s' * (number != 1)}"


def some(names: Sequence[str]) -> str:
    """Returns the first few, and how many more there are."""
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def listed(names: Sequence[str], word: str = "and") -> str:
    """Returns `a, b and c`, of at least one."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
