"""The scale of scores: its inverse, its limits, and when it is used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.analysis.comparison.scale import Scale, scale_of


@given(st.floats(-0.99, 0.99))
def test_the_inverse_of_fishers_z_gives_the_score(mcc: float) -> None:
    scale = Scale("Fisher z", 0.001)
    assert scale.inverse(scale.forward([mcc])) == pytest.approx([mcc])


@given(st.floats(0.01, 0.99))
def test_the_inverse_of_the_logit_gives_the_score(auc: float) -> None:
    scale = Scale("logit", 0.001)
    assert scale.forward([auc])[0] == pytest.approx(np.log(auc / (1 - auc)))
    assert scale.inverse(scale.forward([auc])) == pytest.approx([auc])


def test_a_perfect_score_counts_as_half_a_row_from_its_limit() -> None:
    z = scale_of("test_mcc", [0.9, 0.97, 1.0], rows=100)
    assert z == Scale("Fisher z", 0.01)
    assert z.forward([1.0, -1.0]) == pytest.approx([np.arctanh(0.99), -np.arctanh(0.99)])
    logit = scale_of("test_auc", [0.9, 0.97, 1.0], rows=100)
    assert logit == Scale("logit", 0.005)
    assert logit.inverse(logit.forward([1.0, 0.0])) == pytest.approx([0.995, 0.005])


def test_a_missing_score_is_missing_on_the_scale() -> None:
    for scale in (Scale("raw"), Scale("Fisher z", 0.1), Scale("logit", 0.1)):
        assert np.isnan(scale.forward([np.nan, 0.5])).tolist() == [True, False]
        assert np.isnan(scale.inverse([np.nan, 0.5])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("metric", "scores", "name"),
    [
        ("test_mcc", [0.55, 0.65, 0.75], "raw"),
        ("test_mcc", [0.88, 0.93, 0.97], "Fisher z"),
        ("dev_mcc_at_bT", [-0.88, -0.93, -0.97], "Fisher z"),
        ("test_mcc", [-0.1, 0.0, 0.1], "raw"),
        ("test_mcc", [-0.9, 0.9], "Fisher z"),
        ("dev_accuracy", [0.80, 0.85], "raw"),
        ("dev_accuracy", [0.95, 0.99], "logit"),
        ("test_f1", [0.95, np.nan, 0.99], "logit"),
        ("test_loss", [0.001, 0.7], "raw"),
        ("seconds", [1.0, 9.0], "raw"),
        ("test_auc", [], "raw"),
        ("test_auc", [np.nan], "raw"),
    ],
)
def test_the_scale_is_used_only_near_the_limits(
    metric: str, scores: list[float], name: str
) -> None:
    assert scale_of(metric, scores, rows=500).name == name


def test_a_few_collapsed_runs_do_not_change_the_scale() -> None:
    scores = [0.7, 0.72] * 20 + [0.0, 0.0]
    assert scale_of("test_mcc", scores, rows=500).name == "raw"
    assert scale_of("test_mcc", [*scores, 0.99], rows=500).name == "raw"


def test_equal_steps_on_the_scale_halve_the_errors() -> None:
    steps = np.diff(Scale("logit", 0.0).forward([0.96, 0.98, 0.99]))
    assert steps[0] == pytest.approx(steps[1], rel=0.05)
