"""Makes the ledger fixtures known to the tests beside it."""

from tests.study.ledgers import open_ledger, read_spec

__all__ = ["open_ledger", "read_spec"]
