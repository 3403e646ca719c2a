"""What may change between two runs of the driver over a benchmark, and what may not."""

from pathlib import Path

import pytest

from study.engine.benchmark.runs import changes_of_benchmark
from study.errors import InputError
from study.storage.opening import check_folder
from tests.study.engine.benchmark.bench import OpenLedger, ReadBenchmark


@pytest.mark.parametrize(
    "more",
    [
        "seeds=[0,1,2]",
        "methods=[lora,linear_probe,adalora_rs]",
        "baselines=[gc,kmer]",
        "resources.max_concurrent=1",
        "backbones=[opt-dna-mini,opt-125m]",
    ],
)
def test_a_benchmark_goes_on_with_more_than_before(
    more: str, tmp_path: Path, read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    open_bench()
    changes = changes_of_benchmark(read_benchmark(more))
    check_folder(tmp_path / "runs" / "small", changes, resume=True)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("seeds=[1,2]", r"seed 0 \(left out\)"),
        ("methods=[adalora_rs]", r"opt-dna-mini, mine, linear_probe \(left out\)"),
        ("training.lr=1e-3", r"opt-dna-mini, mine, linear_probe \(set otherwise\)"),
        ("task.train=33", r"mine, kmer \(set otherwise\); opt-dna-mini, mine, linear_probe"),
        ("baselines=[gc]", r"mine, kmer \(left out\)"),
    ],
)
def test_a_benchmark_does_not_go_on_with_less_or_something_else(
    other: str, found: str, tmp_path: Path, read_benchmark: ReadBenchmark, open_bench: OpenLedger
) -> None:
    open_bench()
    changes = changes_of_benchmark(read_benchmark(other))
    with pytest.raises(InputError, match=f"it differs in: {found}"):
        check_folder(tmp_path / "runs" / "small", changes, resume=True)
