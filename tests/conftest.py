"""One torch thread, and a check of every InputError that a test provokes."""

from collections.abc import Iterator

import pytest
import torch

from tests.error_texts import recorded_faults

torch.set_num_threads(1)  # on tiny tensors more threads only wait for each other


@pytest.fixture(autouse=True)
def _errors_have_one_pattern() -> Iterator[None]:
    with recorded_faults() as faults:
        yield
    text = "\n".join(faults)
    assert not faults, f"must be of the pattern WHERE: RULE, but got FOUND; FIX:\n{text}"
