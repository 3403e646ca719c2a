"""Decisions by an interval and the rope."""

import pytest

from study.analysis.comparison.verdict.decision import Decision, decide, default_rope


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [
        (0.001, 0.05, "better"),
        (-0.05, -0.001, "worse"),
        (-0.009, 0.01, "equal"),
        (0.002, 0.008, "equal"),
        (-0.02, 0.005, "undecided"),
        (0.0, 0.05, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_the_interval_decides(low: float | None, high: float | None, decision: Decision) -> None:
    assert decide(low, high, 0.01) == decision


def test_a_lower_loss_is_better() -> None:
    assert decide(-0.3, -0.1, 0.01, sign=-1) == "better"
    assert decide(0.1, 0.3, 0.01, sign=-1) == "worse"


def test_only_metrics_between_limits_have_a_default_rope() -> None:
    assert default_rope("test_mcc") == default_rope("dev_auc") == 0.01
    assert default_rope("test_loss") == 0
