"""A fixture for the tests with a Trainer."""

import gc

import pytest


@pytest.fixture(scope="module")
def fast_garbage_collection():
    """Excludes existing objects from the garbage collection that every training starts with."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
