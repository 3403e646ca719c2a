"""The answer to: does the rank pattern matter, or only the path to it?"""

from collections.abc import Callable
from pathlib import Path

import pytest

from study.analysis.comparison import analyse
from study.analysis.comparison.sentences.answers import answers
from tests.study.analysis.comparison.made_comparisons import Made, pairs_of, write

Answers = Callable[..., dict[str, list[str]]]
QUESTION = "Does the rank pattern matter, or only the path to it?"
SPEC = """configurations:
  pattern: {{adapter: {{method: lora}}}}
{lottery}pairs: {{mask: {seeds}, init: {seeds}, data: {seeds}}}
"""
SEEDS = list(range(2000, 2024))


@pytest.fixture
def found(tmp_path: Path) -> Answers:
    """(means of pattern, shuffled, uniform and best) -> sentences by question."""

    def answer(*levels: float, lottery: str = "lottery: 0\n") -> dict[str, list[str]]:
        sd = {"rest": 0.004}
        labels = ("pattern", "shuffled", "uniform")
        made = [
            Made(label, "lora", level, sd=sd, settings={"rank_pattern": f"9-in-3-{label}"})
            for label, level in zip(labels, levels, strict=False)
        ]
        if len(levels) > 3:
            made.append(Made("best", "adalora_rs", levels[3], True, sd, {"p": 0.1, "b0": 8}))
        write(tmp_path, pairs_of(made, len(SEEDS)))
        (tmp_path / "spec.yaml").write_text(SPEC.format(lottery=lottery, seeds=SEEDS))
        [task] = analyse([tmp_path]).tasks
        return {found.question: list(found.sentences) for found in answers(task)}

    return answer


def test_a_pattern_that_is_better_than_both_matters(found: Answers) -> None:
    sentences = found(0.66, 0.6, 0.6, 0.7)[QUESTION]
    assert sentences[0].startswith("The pattern matters: LoRA with the winner's final ranks")
    assert sentences[1].startswith("The path matters: the winner, which begins with more")
    assert [sentence.split(":")[0] for sentence in sentences[2:]] == [
        "pattern against shuffled", "pattern against uniform", "pattern against best",
    ]  # fmt: skip
    assert "Difference (first - second) +0.0" in sentences[2]


@pytest.mark.parametrize(
    ("levels", "starts"),
    [
        ((0.6, 0.6, 0.6, 0.6), ("It is not shown that the pattern", "It is not shown that")),
        ((0.66, 0.6, 0.66, 0.6), ("The pattern matters in part:", "The path costs: LoRA with")),
        ((0.6, 0.66, 0.6), ("The pattern does not help: LoRA is better with these ranks",)),
    ],
)  # fmt: skip
def test_other_outcomes_are_told_apart(found: Answers, levels, starts: tuple[str, ...]) -> None:
    sentences = found(*levels)[QUESTION]
    for sentence, start in zip(sentences, starts, strict=False):
        assert sentence.startswith(start)


def test_other_comparisons_have_no_such_answer(found: Answers) -> None:
    usual = found(0.66, 0.6, 0.6, lottery="")
    assert QUESTION not in usual
    assert "What do other settings change, all else equal?" in usual
    assert "What do other settings change, all else equal?" not in found(0.66, 0.6, 0.6)
