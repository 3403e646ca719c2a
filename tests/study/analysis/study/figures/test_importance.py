"""How often settings that do nothing are said to matter, over simulated studies."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from study.analysis.study.figures.axes import Axis
from study.analysis.study.figures.importance import importances
from study.storage.record import TrialRecord

STUDIES = 30
AXES = [Axis(f"x{n}", 0.0, 1.0, False, False, (), False) for n in range(7)]


def noise_study(seed: int, trials: int) -> list[TrialRecord]:
    """Returns complete trials with random settings and scores that do not depend on them."""
    rng = np.random.default_rng(seed)
    made = [
        SimpleNamespace(
            state="complete",
            value=float(rng.normal()),
            settings={axis.name: float(rng.uniform()) for axis in AXES},
        )
        for _ in range(trials)
    ]
    return cast(list[TrialRecord], made)


@pytest.mark.slow
@pytest.mark.parametrize("trials", [16, 40])
def test_in_nine_of_ten_studies_of_noise_no_setting_matters(trials: int) -> None:
    wrong = 0
    for seed in range(STUDIES):
        found = importances(noise_study(seed, trials), AXES)
        assert not isinstance(found, str)
        wrong += any(one.word == "matters" for one in found)
    assert wrong <= STUDIES / 10
