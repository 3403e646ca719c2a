from pathlib import Path

import pytest

from study.analysis.study.curves import best_so_far, learning_curves
from tests.study.analysis.study.made_studies import FIXED, MadeStudy


def test_a_curve_has_the_score_at_every_report(finished: MadeStudy) -> None:
    data = learning_curves(finished.read())
    stopped = next(curve for curve in data.curves if curve.trial == 1)
    assert stopped.points == [(10, 0.1), (20, 0.25)]
    assert stopped.state == "pruned"
    assert data.x_label == "step"


def test_a_trial_without_a_finite_score_has_no_curve(finished: MadeStudy) -> None:
    data = learning_curves(finished.read())
    assert [curve.trial for curve in data.curves] == [0, 1, 2]


def test_a_report_without_a_score_is_left_out_of_its_curve(study: MadeStudy) -> None:
    study.run(0, [0.1, None, 0.3])
    (curve,) = learning_curves(study.read()).curves
    assert curve.points == [(10, 0.1), (30, 0.3)]


def test_trials_of_different_length_share_an_axis_of_fractions(study: MadeStudy) -> None:
    study.run(0, [0.1, 0.2])
    study.steps = 160
    study.run(1, [0.1, 0.2])
    data = learning_curves(study.read())
    assert data.x_label == "step / total_steps"
    assert [curve.points[-1][0] for curve in data.curves] == [0.25, 0.25]
    assert data.rungs[0].x == 0.25


def test_a_rung_is_a_report_at_which_scores_were_compared(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)
    study.run(1, [0.2, 0.25])
    study.create(2)
    study.report(2, 1, 0.4)
    study.decide(2, 1, "continue")
    study.report(2, 2, 0.4)
    study.decide(2, 2, "continue", cutoff=0.35)
    (rung,) = learning_curves(study.read()).rungs
    assert (rung.report, rung.x) == (2, 20)
    assert (rung.reached, rung.stopped, rung.cutoff) == (3, 1, 0.35)


def test_without_comparisons_there_are_no_rungs(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)
    assert learning_curves(study.read()).rungs == []


def test_the_best_so_far_uses_complete_trials_and_extends_to_the_last(
    finished: MadeStudy,
) -> None:
    data = best_so_far(finished.read())
    assert data.scores == [(0, 0.5), (2, 0.41)]
    assert data.best == [(0, 0.5), (2, 0.5), (3, 0.5)]


def test_the_best_loss_so_far_decreases(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "loss", FIXED)
    for trial, loss in enumerate([0.7, 0.5, 0.6]):
        made.create(trial, {})
        made.report(trial, 1, loss, "dev_loss")
        made.end(trial, "complete")
    data = best_so_far(made.read())
    assert [score for _, score in data.best] == pytest.approx([0.7, 0.5, 0.5, 0.5])


def test_the_best_so_far_of_no_complete_trials_is_empty(study: MadeStudy) -> None:
    study.run(0, [0.5])
    assert best_so_far(study.read()).best == []
