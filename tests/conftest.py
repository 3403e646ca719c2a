"""One torch thread, fewer examples of hypothesis, a check of every InputError of a test."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.error_texts import recorded_faults

settings.register_profile(
    "suite",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
torch.set_num_threads(1)  # on tiny tensors more threads only wait for each other


@pytest.fixture(autouse=True)
def _errors_have_one_pattern() -> Iterator[None]:
    with recorded_faults() as faults:
        yield
    text = "\n".join(faults)
    assert not faults, f"must be of the pattern WHERE: RULE, but got FOUND; FIX:\n{text}"
