"""Makes the benchmark fixtures known to the tests beside it."""

from tests.study.engine.benchmark.bench import open_bench, read_benchmark

__all__ = ["open_bench", "read_benchmark"]
