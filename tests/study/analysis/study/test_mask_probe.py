"""The table of what one mask costs."""

from pathlib import Path

import pytest

from study.analysis.study.mask_probe import mask_costs
from study.analysis.study.page import render
from tests.study.analysis.study.rich_studies import rich_study


def test_costs_are_means_over_complete_trials_with_intervals(tmp_path: Path) -> None:
    study = rich_study(tmp_path / "rich", trials=16).read()
    assert mask_costs(study) == []
    assert "What does one mask cost?" not in render(study, live=True)
    complete = [trial for trial in study.trials if trial.state == "complete"]
    for place, trial in enumerate(complete):
        metrics = {"mask_cost_first": 0.01 + 0.001 * (place % 2), "mask_cost_first_se": 0.002}
        trial.reports[-1].metrics.update(metrics)  # type: ignore[attr-defined]
    (row,) = mask_costs(study)
    assert (row.kind, row.event, row.trials) == ("the random mask", "first", len(complete))
    assert float(row.mean.split(" ")[0]) == pytest.approx(0.0105, abs=0.0003)
    assert "(+0.0" in row.mean
