"""How estimates, intervals, percentages and numbers of runs are written in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.comparison.components.sample_size import RunsNeeded
from study.analysis.comparison.scores.crossed import MeanEstimate
from study.analysis.comparison.verdict.power import MOST, FurtherPairs
from study.analysis.text import shown
from study.rates import Rate

NAMED = 4
"""How many items are named before "and n more"."""


@dataclass(frozen=True)
class Answer:
    """A question and the sentences that answer it."""

    question: str
    sentences: list[str]


def interval(estimate: MeanEstimate) -> str:
    """Returns `0.5712 (95 % CI 0.5601 to 0.5823)`."""
    if estimate.low is None or estimate.high is None:
        return f"{shown(estimate.mean)} (no interval from {count(estimate.n, 'run')})"
    return f"{shown(estimate.mean)} (95 % CI {shown(estimate.low)} to {shown(estimate.high)})"


def runs_needed(needed: RunsNeeded) -> str:
    """Returns the additional crossed runs needed, or why no design is named."""
    if needed.reason:
        return f"no crossed design is suggested ({needed.reason})"
    return (
        f"about {needed.further} further runs, for a total of {needed.mask} mask x "
        f"{needed.init} init x {needed.data} data seeds"
    )


def further(needed: FurtherPairs) -> str:
    """Returns how many more pairs decide a question, with an interval, or that none may."""
    if needed.never >= 0.5:
        return (
            f"more pairs are not expected to decide it: with probability {needed.never:.2f} the "
            "difference is smaller than the error of the test set"
        )
    if needed.median is None:
        return f"more than {MOST:,} further pairs"
    high = f"{needed.high:,}" if needed.high is not None else f"more than {MOST:,}"
    return f"about {count(needed.median, 'further pair')} (80 % interval {needed.low:,} to {high})"


def rate(found: Rate) -> str:
    """Returns `3 of 27 (2.4 % to 29 %)`, a number of runs with the exact interval of its rate."""
    return f"{found.k} of {found.n} ({percent(found.low)} to {percent(found.high)})"


def percent(share: float) -> str:
    """Returns `37 %`; one decimal below 10 %."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def count(number: int, what: str) -> str:
    """Returns `3 runs`, `1 run`."""
    return f"{number} {what}{'s' * (number != 1)}"


def first_few(names: Sequence[str]) -> str:
    """Returns the first `NAMED` names and the number of further ones."""
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def listed(names: Sequence[str], word: str = "and") -> str:
    """Returns `a, b and c`, of at least one name."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
