"""One torch thread, fewer examples of hypothesis, a check of every InputError of a test.

If only tests that start processes are selected, files without any are not imported: importing all
of them takes longer than most of these tests.
"""

import re
from collections.abc import Iterator
from pathlib import Path

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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Returns True for a file without a test that `-m "(ray or process)…"` may select."""
    if not config.option.markexpr.startswith("(ray or process)") or (
        collection_path.suffix != ".py"
    ):
        return None
    text = collection_path.read_text(encoding="utf-8")
    return None if re.search(r"mark\.(ray|process)\b", text) else True


@pytest.fixture(autouse=True)
def _errors_have_one_pattern() -> Iterator[None]:
    with recorded_faults() as faults:
        yield
    text = "\n".join(faults)
    assert not faults, f"must be of the pattern WHERE: RULE, but got FOUND; FIX:\n{text}"
