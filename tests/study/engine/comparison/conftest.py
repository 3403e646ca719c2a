"""Fixtures of small comparisons for the tests of this folder."""

from tests.study.engine.comparison.small import open_ledger, prepared

__all__ = ["open_ledger", "prepared"]
