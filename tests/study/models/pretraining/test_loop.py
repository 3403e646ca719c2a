from itertools import pairwise

import numpy as np
import pytest

from study.models.pretraining.loop import Settings, learning_rate


def test_the_learning_rate_rises_is_constant_and_falls():
    settings = Settings(steps=100, lr=1.0, warmup=10, decay=0.4)
    rates = np.array([learning_rate(settings, step) for step in range(1, 101)])
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert (rates[9:60] == 1.0).all()
    assert all(later < earlier for earlier, later in pairwise(rates[59:]))
    assert rates[-1] == pytest.approx(0.05)
