"""Whole benchmarks on a local Ray cluster: results, resuming, unavailable data."""

import csv
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import ray
from mlflow import MlflowClient

import study
from study.engine import cluster
from study.engine.benchmark import session
from study.engine.benchmark.session import run_benchmark
from study.engine.benchmark.worker import RunWorker
from study.engine.console.display import Display
from study.engine.driver import SessionStatus
from study.errors import InputError
from study.storage.events import DataRead
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.stored import StoredStudy
from tests.study.engine.benchmark.bench import ReadBenchmark

# Ray and its dependencies warn and leave sockets open, which is not tested here.
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]
Go = Callable[..., tuple[SessionStatus, list[dict[str, str]]]]


@pytest.fixture(autouse=True, scope="module")
def one_cluster() -> Iterator[None]:
    """One cluster for all benchmarks of this file; starting one takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        with cluster.running_ray(None):
            patch.setattr(session, "running_ray", lambda address, store_bytes: nullcontext())
            yield


@pytest.fixture
def go(tmp_path: Path, read_benchmark: ReadBenchmark) -> Go:
    """(*overrides) -> how the benchmark ended, and the rows of its results.csv."""

    def run(*overrides: str) -> tuple[SessionStatus, list[dict[str, str]]]:
        path = tmp_path / "runs" / "small"
        # The start of a worker takes longer than its runs.
        spec = read_benchmark("resources.max_concurrent=1", *overrides)
        ended = run_benchmark(
            StoredStudy.read(StudyFolder(path)),
            spec,
            address=None,
            tracking_uri=None,
            display=Display(),
        )
        return ended, list(csv.DictReader((path / "results.csv").open()))

    return run


def test_a_benchmark_writes_a_row_per_run(go: Go, tmp_path: Path) -> None:
    ended, rows = go()
    assert ended is SessionStatus.DONE
    assert [row["state"] for row in rows] == ["complete"] * 5
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("kmer", ""), ("linear_probe", "0"), ("adalora_rs", "0"),
        ("linear_probe", "1"), ("adalora_rs", "1"),
    ]  # fmt: skip
    assert all(-1 <= float(row["test_mcc"]) <= 1 for row in rows)
    assert all(0 <= float(row["test_auc"]) <= 1 for row in rows)
    assert rows[0]["trainable_parameters"] == ""
    assert float(rows[2]["kept_parameters"]) < float(rows[2]["adapter_parameters"])

    folder = StudyFolder(tmp_path / "runs" / "small")
    outputs = np.load(folder.output(int(rows[2]["run"])))
    assert outputs["test"].shape == (len(outputs["labels_test"]), 2)
    [data] = [e for e in Journal(folder.journal).read() if isinstance(e, DataRead)]
    [facts] = data.tasks
    assert (facts.backbone, facts.task) == ("opt-dna-mini", "mine")
    assert facts.reports["tokens"]["splits"]["test"]["truncated"] == 0
    assert facts.reports["quality"]
    assert not list(folder.checkpoints.iterdir())

    client = MlflowClient(f"sqlite:///{folder.mlflow}")
    [experiment] = client.search_experiments(filter_string="name = 'adalora-rs/benchmarks'")
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 6  # Five runs and their parent.
    assert {r.info.status for r in found} == {"FINISHED"}
    assert "opt-dna-mini" in {r.data.params.get("backbone") for r in found}


@pytest.mark.slow
def test_a_benchmark_is_resumed_with_more_methods(go: Go, tmp_path: Path) -> None:
    _, rows = go()
    folder = StudyFolder(tmp_path / "runs" / "small")
    before = Journal(folder.journal).read()
    again = "{label: adalora_rs_again, set: {adapter.method: adalora_rs}}"
    ended, more = go(f"methods=[linear_probe,adalora_rs,{again}]", "baselines=[majority,kmer,cnn]")
    assert ended is SessionStatus.DONE
    scores = {(r["method"], r["seed"]): r["test_loss"] for r in more}
    assert len(scores) == 9
    assert scores["adalora_rs_again", "0"] == scores["adalora_rs", "0"]
    assert scores["adalora_rs_again", "1"] == scores["adalora_rs", "1"]
    assert scores["adalora_rs", "0"] != scores["adalora_rs", "1"]
    assert all(scores[r["method"], r["seed"]] == r["test_loss"] for r in rows)
    assert Journal(folder.journal).read()[: len(before)] == before
    assert not list(folder.checkpoints.iterdir())

    client = MlflowClient(f"sqlite:///{folder.mlflow}")
    [experiment] = client.search_experiments(filter_string="name = 'adalora-rs/benchmarks'")
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 10  # Nine runs and their parent.
    assert {r.info.status for r in found} == {"FINISHED"}
    assert "opt-dna-mini" in {r.data.params.get("backbone") for r in found}


@pytest.mark.slow
def test_runs_whose_data_the_hub_lacks_are_left_out_with_a_warning(
    go: Go, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, rows = go("backbones=[opt-125m,opt-dna-mini]", "seeds=[0]", "methods=[linear_probe]")
    assert ended is SessionStatus.DONE
    states = {(row["backbone"], row["state"]) for row in rows}
    assert states == {("", "complete"), ("opt-125m", "unavailable"), ("opt-dna-mini", "complete")}
    [reason] = [row["reason"] for row in rows if row["state"] == "unavailable"]
    assert "facebook/opt-125m must be on the Hugging Face hub or in its cache" in reason
    assert "the runs that need it are skipped" in capsys.readouterr().err


def test_a_benchmark_without_any_available_data_is_refused(go: Go) -> None:
    with pytest.raises(InputError, match=r"must be available, but got .*facebook/opt-125m"):
        go("backbones=[opt-125m]", "baselines=[]")


def test_damaged_weights_are_refused_in_one_line_and_nothing_is_written(
    go: Go, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(Path(study.__file__).parent / "models" / "opt_dna_mini", model)
    (model / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"model.safetensors must be safetensors") as caught:
        go(f"backbones=[{model}]", "baselines=[]")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs" / "small").exists()


def test_a_schedule_without_an_event_is_refused_before_anything_runs(
    go: Go, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="deltaT"):
        go("training.epochs=1", "methods=[adalora_rs]", "adapter.deltaT=5000")
    assert not (tmp_path / "runs" / "small").exists()


class CrashingWorker(RunWorker):
    """Crashes in the second seed, once: a file says that it has happened."""

    def step(self) -> dict[str, object]:
        """Crashes or trains."""
        once = self.folder.path / "crashed"
        if self.run_.seed == 1 and self.run_.cell.method == "adalora_rs" and not once.exists():
            once.touch()
            raise RuntimeError("a bug")
        return super().step()


@pytest.mark.chaos
def test_a_crashed_run_is_an_error_and_is_repeated_on_resume(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(session, "RunWorker", CrashingWorker)
    once = "resources.max_failures=0"  # The run would be repeated immediately.
    ended, rows = go(once)
    assert ended is SessionStatus.FAILED
    assert [row["state"] for row in rows] == ["complete"] * 4 + ["failed"]
    assert list(StudyFolder(tmp_path / "runs" / "small").failures.iterdir())
    ended, rows = go(once)
    assert ended is SessionStatus.DONE
    assert [row["state"] for row in rows] == ["complete"] * 5
