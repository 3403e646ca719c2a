"""The benchmarks' environment runs every benchmark."""

from configparser import ConfigParser
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", sorted(file.stem for file in HERE.glob("bench_*.py")))
def test_every_benchmark_is_run_by_its_environment(file: str) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(HERE.parent.parent / "tox.ini")
    assert f"-m tests.benchmarks.{file}" in tox["testenv:bench"]["commands"]
