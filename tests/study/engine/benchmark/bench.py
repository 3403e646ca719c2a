"""A small benchmark, and a ledger for it, without Ray."""

from collections.abc import Callable
from pathlib import Path

import pytest

from study.spec.benchmark.loading import Benchmark, dump_benchmark, load_benchmark
from study.storage.events import Report, StudyOpened
from study.storage.ledger import Ledger
from study.storage.opening import open_folder

SMALL = """
backbones: [opt-dna-mini]
tasks:
  - {label: mine, set: {task.name: promoters, task.train: 32, task.dev: 32, task.test: 32}}
methods: [linear_probe, adalora_rs]
baselines: [kmer]
seeds: [0, 1]
rules:
  - set: {training.steps: 8, training.reports: 2, training.batch_size: 4}
  - {where: {method: "adalora*"}, set: {adapter.b0: 2, adapter.bT: 1, adapter.deltaT: 2}}
"""
ReadBenchmark = Callable[..., Benchmark]
OpenLedger = Callable[[], Ledger]


@pytest.fixture
def read_benchmark(tmp_path: Path) -> ReadBenchmark:
    """Returns a function of --set overrides: the benchmark above, read from a file."""

    def read(*overrides: str) -> Benchmark:
        file = tmp_path / "small.yaml"
        file.write_text(SMALL)
        return load_benchmark(str(file), overrides)

    return read


@pytest.fixture
def open_bench(tmp_path: Path, read_benchmark: ReadBenchmark) -> OpenLedger:
    """Returns a function that opens a ledger in one and the same folder."""

    def open_() -> Ledger:
        text = dump_benchmark(read_benchmark().spec)
        ledger = Ledger(open_folder(tmp_path / "runs" / "small", text), "dev_mcc")
        if not ledger.opened:
            ledger.append(StudyOpened(version=1, name="small", spec="spec.yaml"))
        return ledger

    return open_


def report(ledger: Ledger, number: int, index: int, value: float | None) -> None:
    """Journals a report with a dev MCC."""
    metrics = {"dev_mcc": value, "train_loss": 0.5}
    ledger.append(Report(trial=number, report=index, step=4 * index, metrics=metrics))
