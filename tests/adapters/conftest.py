"""Steady examples: the same from run to run, and no deadlines."""

import gc

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(scope="module")
def few_objects_to_collect():
    """Every training starts with a garbage collection, which takes longer than the training."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
