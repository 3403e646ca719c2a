"""Names of metrics: limits, directions, and names with a split and a suffix."""

import pytest

from study.spec import StudySpec
from study.spec.goals import METRICS as GOALS
from study.spec.metrics import GUESSING, LIMITS, METRICS, base_name, limits_of, lower_is_better


@pytest.mark.parametrize(
    ("column", "metric"),
    [
        ("test_f1", "f1"),
        ("test_f1_macro", "f1_macro"),
        ("dev_f1_weighted_at_bT", "f1_weighted"),
        ("dev_f1_at_bT", "f1"),
        ("dev_mcc_confirmed_mean", "mcc"),
        ("test_auprc", "auprc"),
        ("peak_memory_gib", "peak_memory_gib"),
    ],
)
def test_a_column_is_of_the_longest_metric_in_its_name(column: str, metric: str) -> None:
    assert base_name(column) == metric


def test_every_metric_has_limits_and_a_guess_unless_less_is_better() -> None:
    assert tuple(LIMITS) == METRICS
    assert set(GUESSING) == {name for name in METRICS if not lower_is_better(name)}
    assert limits_of("test_brier") == limits_of("dev_ece_at_bT") == (0, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_may_be_searched_and_is_minimized_if_less_is_better(metric: str) -> None:
    goals = StudySpec.model_validate({"search": {"metric": metric}}).goals
    assert goals.objectives[0].maximize == (metric not in ("loss", "brier", "ece"))
    assert goals.objectives[0].metric in GOALS
