"""Names of experiments and runs in MLflow."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow.data
import pytest
from mlflow.entities import Dataset

from study.engine.tracking import subject
from study.engine.tracking.subject import FIRST_EXPERIMENT, experiment_name, of_study
from study.engine.tracking.summary import summary_of
from study.errors import InputError
from study.spec import load_spec
from study.storage.events import Report, StudyOpened, WinnerEvaluated
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from tests.study.ledgers import OpenLedger, ReadSpec, create


def run(number: int, labels: Mapping[str, Any], **seeds: int) -> Any:
    return SimpleNamespace(number=number, labels=labels, settings={}, seeds=seeds)


def test_an_experiment_is_the_specs_or_the_variables_or_that_of_the_task(
    read_spec: ReadSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert experiment_name(read_spec()) == "adalora-rs/promoters"
    assert experiment_name(read_spec("task.name=emp/H3")) == "adalora-rs/emp/H3"
    assert experiment_name(read_spec(f"task.path={tmp_path}/mine")) == "adalora-rs/mine"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of the variable")
    assert experiment_name(read_spec()) == "of the variable"
    assert experiment_name(read_spec("tracking.experiment=chosen")) == "chosen"


@pytest.mark.parametrize("name", ["''", "' x'", "/x", "x" * 201])
def test_an_experiment_must_have_a_name(name: str) -> None:
    with pytest.raises(InputError, match=r"tracking\.experiment"):
        load_spec("smoke", [f"tracking.experiment={name}"])


def test_a_study_keeps_the_experiment_it_was_started_in(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    older = open_ledger()  # Its journal names none.
    assert of_study(older).experiment == FIRST_EXPERIMENT
    ledger = StudyLedger(open_folder(tmp_path / "new", ""), older.spec)
    ledger.append(StudyOpened(name="new", spec="spec.yaml", experiment="first"))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "second")
    assert of_study(ledger).experiment == "first"


def test_runs_are_named_by_what_distinguishes_them() -> None:
    race = run(0, {"configuration": "trial-14"}, init=1003, data=1003, mask=1003)
    assert subject._race_run_name(race) == "race: trial 14, seed 1003"
    other = run(0, {"configuration": "trial-14"}, init=1, data=2, mask=2)
    assert subject._race_run_name(other) == "race: trial 14, seeds 1, 2"
    compared = run(1, {"configuration": "lora", "mask": None, "init": 1, "data": 2})
    assert subject._comparison_run_name(compared) == "lora: init 1, data 2"
    cell = run(2, {"backbone": "opt", "task": "H3", "method": "lora", "seed": 0})
    assert subject._benchmark_run_name(cell) == "opt, H3, lora, seed 0"
    baseline = run(3, {"backbone": "", "task": "H3", "method": "kmer", "seed": None})
    assert subject._benchmark_run_name(baseline) == "H3, kmer"


@pytest.mark.parametrize(
    ("task", "kind", "source"),
    [
        ("task.name=promoters", "code", "study.tasks.generated"),
        ("task.name=emp/H3", "hugging_face", "leannmlindsey/GUE"),
        ("task.path=/data/mine", "local", "/data/mine"),
    ],
)
def test_the_source_of_the_data_is_one_that_mlflow_knows(
    open_ledger: OpenLedger, tmp_path: Path, task: str, kind: str, source: str
) -> None:
    spec = open_ledger().spec
    spec = spec.model_copy(update={"task": load_spec("smoke", [task]).task})
    ledger = StudyLedger(open_folder(tmp_path / "other", ""), spec)
    split = {"rows": 8, "class_rows": [4, 4], "gc_mean": [0.5, 0.5], "gc_sd": [0.1, 0.1]}
    split |= {"bases": [9, 9.0, 9], "copies": 0, "reverse_copies": 0, "conflicts": 0}
    ledger.append(StudyOpened(name="other", data="ab" * 32, quality={"splits": {"dev": split}}))
    create(ledger, 0)
    metrics = {"dev_mcc": 0.5, "train_loss": 0.5}
    ledger.append(Report(trial=0, report=1, step=10, metrics=metrics))
    ledger.end(ledger.record.trials[0], "complete", "")
    ledger.append(WinnerEvaluated(trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.5}))
    summary = summary_of(ledger)
    assert summary is not None
    [given] = summary.datasets()
    found: Dataset = given.dataset
    assert (found.source_type, found.digest) == (kind, "ab" * 18)
    assert source in str(mlflow.data.get_source(found).to_dict())
