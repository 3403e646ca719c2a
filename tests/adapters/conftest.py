"""Settings of hypothesis, and a fixture for the tests with a Trainer."""

import gc

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "deterministic", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deterministic")


@pytest.fixture(scope="module")
def fast_garbage_collection():
    """Excludes existing objects from the garbage collection that every training starts with."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
