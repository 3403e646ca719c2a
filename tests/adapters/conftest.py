"""Fixtures for the tests with a Trainer, and for arguments of a wrong type."""

import gc

import jaxtyping
import pytest


@pytest.fixture(scope="module")
def fast_garbage_collection():
    """Excludes existing objects from the garbage collection that every training starts with."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def without_type_checks():
    """Switches the checks of annotations off, which only the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
