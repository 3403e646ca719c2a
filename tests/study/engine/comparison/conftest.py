"""Makes the fixtures of small comparisons known to the tests beside it."""

from tests.study.engine.comparison.small import open_ledger, prepared

__all__ = ["open_ledger", "prepared"]
