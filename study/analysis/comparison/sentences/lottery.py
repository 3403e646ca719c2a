"""Sentences on `study.seeds --lottery`: does the rank pattern matter, or only the path to it?"""

from collections.abc import Sequence

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.scores.paired import Pair
from study.analysis.comparison.sentences.numbers import listed
from study.analysis.comparison.sentences.pairs import other, verdict
from study.spec.comparison.schema import ComparisonSpec

PATTERN, OTHERS, WINNER = "pattern", ("shuffled", "uniform"), "best"
"""Labels of the configurations; see study/engine/comparison/lottery.py."""


def is_lottery(task: TaskAnalysis) -> bool:
    """Returns whether a comparison is one of `study.seeds --lottery`."""
    spec = task.comparison.spec
    return isinstance(spec, ComparisonSpec) and spec.lottery is not None


def lottery(task: TaskAnalysis) -> list[str]:
    """Returns the answer, and the verdicts on the pairs that it is based on."""
    if not is_lottery(task):
        return []
    pairs = [pair for pair in task.pairs if pair.includes(PATTERN)]
    against = [pair for pair in pairs if other(pair, PATTERN) in OTHERS]
    path = [pair for pair in pairs if other(pair, PATTERN) == WINNER]
    if not any(pair.differences for pair in against):
        return []
    sentences = [_pattern(against), *(_path(pair) for pair in path if pair.differences)]
    return sentences + [verdict(pair) for pair in [*against, *path]]


def _pattern(pairs: Sequence[Pair]) -> str:
    better = [pair for pair in pairs if pair.winner == PATTERN]
    worse = [pair for pair in pairs if pair.winner not in (PATTERN, None)]
    if worse:
        named = listed([_ranks(pair) for pair in worse])
        return f"The pattern does not help: LoRA is better with {named}."
    if len(better) == len(pairs):
        return (
            "The pattern matters: LoRA with the winner's final ranks is better than with the same "
            "ranks in another order and with equal ranks, all with as many parameters."
        )
    if better:
        named = listed([_ranks(pair) for pair in better])
        rest = listed([_ranks(pair) for pair in pairs if pair not in better])
        return (
            f"The pattern matters in part: LoRA with the winner's final ranks is better than with "
            f"{named}; it cannot be told from LoRA with {rest}."
        )
    return (
        "It is not shown that the pattern matters: LoRA with the winner's final ranks cannot be "
        "told from LoRA with the same ranks in another order and with equal ranks. The intervals "
        "below contain the effects that remain possible."
    )


def _path(pair: Pair) -> str:
    if pair.winner == WINNER:
        return (
            "The path matters: the winner, which begins with more triplets and prunes them, is "
            "better than LoRA with its final ranks from the start."
        )
    if pair.winner == PATTERN:
        return (
            "The path costs: LoRA with the winner's final ranks from the start is better than the "
            "winner, which prunes to them."
        )
    return (
        "It is not shown that the path matters: the winner cannot be told from LoRA with its "
        "final ranks from the start."
    )


def _ranks(pair: Pair) -> str:
    return {"shuffled": "these ranks in another order", "uniform": "equal ranks"}[
        other(pair, PATTERN)
    ]
