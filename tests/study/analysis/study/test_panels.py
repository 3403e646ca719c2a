from pathlib import Path

from study.analysis.study.panels import Panel, panels
from tests.study.analysis.study.made_studies import FIXED, SPEC, MadeStudy


def panel_of(made: MadeStudy, name: str) -> Panel:
    return next(panel for panel in panels(made.read()) if panel.name == name)


def test_every_searched_parameter_has_a_panel_with_its_name_in_optuna(finished: MadeStudy) -> None:
    names = {panel.name for panel in panels(finished.read())}
    assert names == {"b0", "bT_ratio", "p", "lr"}


def test_a_panel_has_scale_role_and_bounds_of_its_domain(finished: MadeStudy) -> None:
    lr, b0 = panel_of(finished, "lr"), panel_of(finished, "b0")
    assert (lr.log, lr.nuisance, lr.whole, lr.bounds) == (True, True, False, (1e-4, 1e-2))
    assert (b0.log, b0.nuisance, b0.whole, b0.bounds) == (False, False, True, (6, 14))


def test_a_point_is_a_value_and_the_last_score(finished: MadeStudy) -> None:
    points = {point.trial: point for point in panel_of(finished, "p").points}
    assert (points[1].x, points[1].y, points[1].state) == (0.3, 0.25, "pruned")
    assert (points[2].x, points[2].y, points[2].state) == (0.1, 0.41, "complete")


def test_failed_trials_have_only_their_value(finished: MadeStudy) -> None:
    panel = panel_of(finished, "p")
    assert panel.failed == [0.1]
    assert 3 not in {point.trial for point in panel.points}


def test_choices_including_none_are_placed_in_their_order(tmp_path: Path) -> None:
    domain = "{type: categorical, choices: [null, 1e-3, 1e-2]}"
    spec = SPEC.replace("  steps: 80", f"  head_lr: {domain}\n  steps: 80")
    made = MadeStudy(tmp_path / "choices", spec)
    base = {"p": 0.1, "b0": 10, "bT_ratio": 0.5, "lr": 1e-3}
    made.run(0, [0.1], base | {"head_lr": 0.01})
    made.run(1, [0.2], base | {"head_lr": None})
    panel = panel_of(made, "head_lr")
    assert panel.choices == ("None", "0.001", "0.01")
    assert [(point.trial, point.x) for point in panel.points] == [(0, 2.0), (1, 0.0)]


def test_a_study_without_domains_has_no_panels(tmp_path: Path) -> None:
    assert panels(MadeStudy(tmp_path / "fixed", FIXED).read()) == []
