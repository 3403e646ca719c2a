"""How numbers, intervals and plans read in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from study.analysis.comparison.components.further import Plan
from study.analysis.comparison.scores.crossed import Estimate
from study.analysis.text import shown

NAMED = 4
"""How many of a kind are named before "and so many more"."""


def interval(found: Estimate) -> str:
    """Returns `0.5712 (95 % interval 0.5601 to 0.5823)`."""
    if found.low is None or found.high is None:
        return f"{shown(found.mean)} (no interval from {count(found.n, 'run')})"
    return f"{shown(found.mean)} (95 % interval {shown(found.low)} to {shown(found.high)})"


def needed(plan: Plan) -> str:
    """Returns what a plan asks for, or why there is none."""
    if plan.reason:
        told = f"no crossed design can be named ({plan.reason})"
    else:
        told = (
            f"about {plan.further} further runs, {plan.mask} x {plan.init} x {plan.data} mask, "
            "init and data seeds in all"
        )
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


@dataclass(frozen=True)
class Answer:
    """A question and its sentences."""

    question: str
    sentences: list[str]
