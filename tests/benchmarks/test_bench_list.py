"""The benchmarks' environment runs every benchmark."""

from configparser import ConfigParser
from pathlib import Path

import pytest

HERE = Path(__file__).parent


BENCHMARKS = [file.relative_to(HERE).with_suffix("") for file in HERE.rglob("bench_*.py")]


@pytest.mark.parametrize("name", sorted(".".join(path.parts) for path in BENCHMARKS))
def test_every_benchmark_is_run_by_its_environment(name: str) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(HERE.parent.parent / "tox.ini")
    assert f"-m tests.benchmarks.{name}" in tox["testenv:bench"]["commands"]
