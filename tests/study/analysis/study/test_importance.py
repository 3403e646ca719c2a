from pathlib import Path

import numpy as np
import pytest

from study.analysis.study.importance import NEEDED, importances
from tests.study.analysis.study.made_studies import FIXED, MadeStudy


def made_trials(made: MadeStudy, count: int, constant: bool = False) -> None:
    """Complete trials whose score depends only on p."""
    generator = np.random.default_rng(0)
    for trial in range(count):
        p, lr = float(generator.uniform(0, 0.3)), float(generator.uniform(1e-4, 1e-2))
        params = {"p": p, "b0": int(generator.integers(6, 15)), "bT_ratio": 0.5, "lr": lr}
        made.run(trial, [0.5 if constant else 1 - 3 * p] * made.reports, params)


def test_the_parameter_that_determines_the_score_is_the_most_important(study: MadeStudy) -> None:
    made_trials(study, 40)
    shares = importances(study.read())
    assert isinstance(shares, dict)
    assert next(iter(shares)) == "p"
    assert shares["p"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_the_estimate_is_the_same_every_time(study: MadeStudy) -> None:
    made_trials(study, NEEDED)
    data = study.read()
    assert importances(data) == importances(data)


def test_too_few_complete_trials_give_no_estimate(study: MadeStudy) -> None:
    made_trials(study, NEEDED - 1)
    study.run(NEEDED - 1, [0.1])
    assert "at least 10 complete trials are needed" in importances(study.read())


def test_equal_scores_give_no_estimate(study: MadeStudy) -> None:
    made_trials(study, NEEDED, constant=True)
    assert "differ too little" in importances(study.read())


def test_equal_parameters_give_no_estimate(study: MadeStudy) -> None:
    for trial in range(NEEDED):
        study.run(trial, [0.01 * trial] * study.reports)
    assert "differ too little" in importances(study.read())


def test_a_study_without_searched_parameters_gives_no_estimate(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "fixed", FIXED)
    assert "fewer than two" in importances(made.read())
