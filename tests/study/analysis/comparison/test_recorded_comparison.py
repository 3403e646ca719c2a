"""Recorded comparisons on real data: the analysis gives the numbers in the guide."""

import shutil
from pathlib import Path

from study.analysis.comparison import Analysis, analyse
from study.analysis.comparison.sentences.answers import report_lines

ROOT = Path(__file__).parents[4]
DATA = ROOT / "tests" / "data"


def recorded(name: str, folder: Path) -> Analysis:
    for file in ("results.csv", "spec.yaml"):
        shutil.copy(DATA / name / file, folder / file)
    return analyse([folder])


def test_the_table_in_the_guide_has_the_recorded_means(tmp_path: Path) -> None:
    text = (ROOT / "study/analysis/comparison/README.md").read_text(encoding="utf-8")
    [task] = recorded("pairs_tata", tmp_path).tasks
    assert len(task.summaries) == 7
    for one in task.summaries:
        mean = one.mean
        cell = f"{mean.mean:.3f} ({mean.low:.3f} to {mean.high:.3f}; "
        assert cell in text, cell
    lora = next(pair for pair in task.pairs if pair.question.b == "lora")
    assert (lora.winner, lora.family) == ("lora", 6)


def test_nothing_is_decided_on_the_recorded_histone_marks(tmp_path: Path) -> None:
    text = (ROOT / "study/analysis/comparison/README.md").read_text(encoding="utf-8")
    [task] = recorded("pairs_h3", tmp_path).tasks
    for one in task.summaries:
        mean = one.mean
        assert f"{mean.mean:.3f} ({mean.low:.3f} to {mean.high:.3f}; " in text
    assert {pair.decision for pair in task.pairs} == {"undecided"}
    assert {len(pair.differences) for pair in task.pairs} == {12}


def test_the_order_of_the_data_has_most_of_the_recorded_variance(tmp_path: Path) -> None:
    message = "\n".join(report_lines(recorded("seeds_tata", tmp_path)))
    assert "72 runs of 4 configurations with 5 mask seeds, 3 init seeds, 3 data seeds" in message
    assert "mask 0 % (0 % to 5.7 %)" in message
    assert "data 81 % (8.5 % to 100 %)" in message
    assert "p = 0.0176 against p = 0: undecided" in message
