"""Fixtures of the tests of study: ledgers."""

from tests.study.ledgers import open_ledger, read_spec

__all__ = ["open_ledger", "read_spec"]
