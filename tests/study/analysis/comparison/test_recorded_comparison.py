"""A recorded comparison on real data: the analysis gives the numbers in the guide."""

import shutil
from pathlib import Path

import pytest

from study.analysis.comparison import Analysis, analyse
from study.analysis.comparison.sentences.answers import report_lines

ROOT = Path(__file__).parents[4]
RECORDED = ROOT / "tests" / "data" / "seeds_tata"


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("recorded") / "tata-seeds"
    folder.mkdir()
    for name in ("results.csv", "spec.yaml"):
        shutil.copy(RECORDED / name, folder / name)
    return analyse([folder])


def test_the_table_in_the_guide_has_the_recorded_means(analysis: Analysis) -> None:
    text = (ROOT / "study/analysis/comparison/README.md").read_text(encoding="utf-8")
    [task] = analysis.tasks
    assert [one.label for one in task.summaries] == ["best", "adalora", "lora", "fmft"]
    for one in task.summaries:
        mean = one.mean
        row = f"| {one.n} | {mean.mean:.3f} ({mean.low:.3f} to {mean.high:.3f}) | {one.sd:.3f}"
        assert row in text, row


def test_the_order_of_the_data_has_most_of_the_recorded_variance(analysis: Analysis) -> None:
    message = "\n".join(report_lines(analysis))
    assert "72 runs of 4 configurations with 5 mask seeds, 3 init seeds, 3 data seeds" in message
    assert "mask 0 % (0 % to 3.7 %)" in message
    assert "data 81 % (24 % to 99 %)" in message
    assert "p = 0.0176 against p = 0: undecided" in message
