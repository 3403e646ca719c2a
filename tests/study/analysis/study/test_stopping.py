"""What the page says and draws of early stopping and its audit."""

from pathlib import Path

from study.analysis.study.figures.learning import learning_curves
from study.analysis.study.page import render
from tests.study.analysis.study.made_studies import MadeStudy, finish


def test_a_stopped_trial_that_ran_on_has_its_end_in_the_chart_and_a_sentence(
    tmp_path: Path,
) -> None:
    study = MadeStudy(tmp_path / "a")
    finish(study)
    before = learning_curves(study.read())
    assert before is not None
    assert before.options["audited"] == []
    study.append("audited", trial=1, step=80, metrics={"dev_mcc": 0.7}, reason="")
    chart = learning_curves(study.read())
    assert chart is not None
    assert chart.options["audited"] == [
        {"trial": 1, "x1": 20.0, "y1": 0.25, "x2": 80.0, "y2": 0.7}
    ]
    assert "for the audit" in chart.caption
    assert chart.columns == before.columns
    page = render(study.read(), live=True)
    assert "The stopped trial trained to the end all the same (60 steps): 1 ended better" in page


def test_an_audited_trial_that_failed_has_no_end(tmp_path: Path) -> None:
    study = MadeStudy(tmp_path / "a")
    finish(study)
    study.append("audited", trial=1, step=40, metrics={"dev_mcc": None}, reason="diverged")
    chart = learning_curves(study.read())
    assert chart is not None
    assert chart.options["audited"] == []
    assert "(20 steps): 0 ended better" in render(study.read(), live=True)
