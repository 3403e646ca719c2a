"""Fixtures of the tests of tracking: web servers."""

from tests.study.engine.tracking.servers import serve

__all__ = ["serve"]
