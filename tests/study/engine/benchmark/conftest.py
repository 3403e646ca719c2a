"""Fixtures of small benchmarks for the tests of this folder."""

from tests.study.engine.benchmark.bench import open_bench, read_benchmark

__all__ = ["open_bench", "read_benchmark"]
