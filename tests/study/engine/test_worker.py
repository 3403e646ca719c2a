"""The Ray worker without Ray: reports, reuse for the next trial, checkpoints."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.engine.preparation import prepare_data
from study.engine.reporting import system_of
from study.engine.resources import Resources
from study.engine.worker import TrialWorker
from study.models.info import BackboneInfo
from study.spec import StudySpec, dump_spec, load_spec
from study.storage.folder import StudyFolder
from study.storage.opening import open_folder
from study.training.encoding import EncodedTask
from study.training.trial import Trial

ONE = Resources(cpus=1, gpus=0.0, concurrent=1)

PARAMS = {"b0": 4, "bT_ratio": 0.5, "p": 0.2, "lr": 1e-3}
SMALL = (
    "adapter.b0={type: int, low: 4, high: 8}",
    "adapter.deltaT=2",
    "training.steps=6",
    "training.reports=3",
    "training.batch_size=2",
    "task.train=16",
    "task.dev=8",
    "task.test=8",
)

SEEDS = {"init": 0, "data": 0, "mask": 0}


@pytest.fixture(scope="module")
def prepared() -> tuple[StudySpec, BackboneInfo, EncodedTask]:
    spec = load_spec("smoke", SMALL)
    return spec, *prepare_data(spec)


@pytest.fixture
def folder(tmp_path: Path, prepared: Any) -> StudyFolder:
    return open_folder(tmp_path / "study", dump_spec(prepared[0]))


def start(
    prepared: Any,
    folder: StudyFolder,
    config: dict[str, Any],
    final_budget_reports: Sequence[int] = (),
) -> TrialWorker:
    """Sets a worker up as Ray would, in this process."""
    spec, info, data = prepared
    worker: TrialWorker = object.__new__(TrialWorker)
    config = {"seeds": SEEDS, "reports": 99, "assigned": time.time()} | config
    shared = {"spec": spec, "info": info, "data": data, "folder": folder, "trial_resources": ONE}
    worker.setup(config, **shared, final_budget_reports=final_budget_reports)
    return worker


def scores(result: dict[str, Any]) -> dict[str, Any]:
    """Returns a report without times and memory."""
    return {k: v for k, v in result.items() if not re.search("seconds|memory|system", k)}


def test_a_report_has_the_objective_the_metrics_and_the_facts(
    prepared: Any, folder: StudyFolder
) -> None:
    worker = start(prepared, folder, {"trial": 0, "params": PARAMS})
    result = worker.step()
    assert (result["report"], result["step"]) == (1, 2)
    assert result["dev_mcc"] == result["metrics/dev_mcc"]
    names = {name.removeprefix("metrics/") for name in result if name.startswith("metrics/")}
    assert names >= {
        "dev_mcc", "dev_auc", "dev_f1", "dev_accuracy", "dev_loss", "train_loss", "budget",
        "kept", "reintroduced", "dropped", "rank", "adapter_parameters", "kept_parameters",
        "head_parameters", "trainable_parameters", "train_seconds", "start_seconds",
        "peak_memory_gib",
    }  # fmt: skip


def test_a_report_has_the_use_of_the_machine(prepared: Any, folder: StudyFolder) -> None:
    use = system_of(start(prepared, folder, {"trial": 0, "params": PARAMS}).step())
    assert use["worker_cpu_utilization_percentage"] > 0
    assert 50 < use["worker_memory_usage_megabytes"] < use["system_memory_usage_megabytes"]


def test_a_reused_worker_has_the_reports_of_a_new_one(
    prepared: Any, folder: StudyFolder, tmp_path: Path
) -> None:
    worker = start(prepared, folder, {"trial": 0, "params": PARAMS | {"b0": 8}})
    worker.step()
    again = {"trial": 1, "params": PARAMS, "seeds": SEEDS, "reports": 99, "assigned": time.time()}
    assert worker.reset_config(again)
    reused = [worker.step() for _ in range(3)]
    other = open_folder(tmp_path / "other", dump_spec(prepared[0]))
    fresh = start(prepared, other, {"trial": 1, "params": PARAMS})
    assert [scores(r) for r in reused] == [scores(fresh.step()) for _ in range(3)]


def test_a_trial_trains_with_its_own_seeds(prepared: Any, folder: StudyFolder) -> None:
    config = {"trial": 0, "params": PARAMS, "seeds": {"init": 1, "data": 2, "mask": 3}}
    worker = start(prepared, folder, config)
    assert worker.trial is not None
    assert worker.trial.spec.seeds.model_dump() == config["seeds"]
    study = start(prepared, folder, {"trial": 1, "params": PARAMS})
    assert scores(worker.step()) != scores(study.step())


def test_a_restarted_trial_repeats_its_last_report_and_equals_an_uninterrupted_one(
    prepared: Any, folder: StudyFolder, tmp_path: Path
) -> None:
    whole = start(prepared, open_folder(tmp_path / "whole", dump_spec(prepared[0])), _config())
    expected = [scores(whole.step()) for _ in range(3)]
    first = start(prepared, folder, _config())
    first.step(), first.step()
    second = start(prepared, folder, _config())
    assert [scores(second.step()) for _ in range(2)] == expected[1:]
    ends = [worker.trial for worker in (whole, second)]
    for name, parameter in ends[0]._trained().items():
        assert torch.equal(parameter, ends[1]._trained()[name]), name


def test_a_checkpoint_of_other_parameters_is_not_loaded(
    prepared: Any, folder: StudyFolder
) -> None:
    start(prepared, folder, _config()).step()
    other = start(prepared, folder, {"trial": 0, "params": PARAMS | {"p": 0.0}})
    assert other.trial is not None
    assert other.trial.step == 0


def test_a_partly_written_checkpoint_is_ignored(prepared: Any, folder: StudyFolder) -> None:
    worker = start(prepared, folder, _config())
    worker.step()
    folder.checkpoint(0).with_suffix(".partial").write_bytes(b"half of the next one")
    again = start(prepared, folder, _config())
    assert again.step()["report"] == 1
    assert again.step()["report"] == 2


def test_a_diverging_trial_reports_a_loss_that_is_not_finite(
    prepared: Any, folder: StudyFolder
) -> None:
    worker = start(prepared, folder, {"trial": 0, "params": PARAMS | {"lr": 1e30}})
    results = [worker.step()]
    while np.isfinite(results[-1]["metrics/train_loss"]) and len(results) < 3:
        results.append(worker.step())
    assert np.isnan(results[-1]["metrics/train_loss"])
    assert np.isnan(results[-1]["dev_mcc"])


def test_cleanup_removes_the_adapters_from_the_backbone(
    prepared: Any, folder: StudyFolder
) -> None:
    worker = start(prepared, folder, _config())
    names = set(dict(worker.backbone.model.named_parameters()))
    worker.cleanup()
    assert worker.trial is None
    after = set(dict(worker.backbone.model.named_parameters()))
    assert after != names
    assert not any("lam" in name.split(".") for name in after)


def _config() -> dict[str, Any]:
    return {"trial": 0, "params": PARAMS}


def test_reports_at_rungs_have_the_score_at_the_final_budget(
    prepared: Any, folder: StudyFolder
) -> None:
    params = PARAMS | {"bT_ratio": 0.25}
    worker = start(prepared, folder, {"trial": 0, "params": params}, final_budget_reports=(1, 3))
    first, second, last = (worker.step() for _ in range(3))
    assert first["metrics/dev_mcc_at_bT"] is not None
    assert "metrics/dev_mcc_at_bT" not in second
    assert last["metrics/dev_mcc_at_bT"] == last["dev_mcc"], "T lies before the last report"
    plain = start(prepared, folder, {"trial": 1, "params": params})
    unlooked = [scores(plain.step()) for _ in range(3)]
    for looked, expected in zip((first, second, last), unlooked, strict=True):
        kept = {k: v for k, v in scores(looked).items() if not k.endswith("at_bT")}
        assert kept == expected


SHORT = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore"),
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate"),
    "python": MemoryError(),
}


@pytest.mark.parametrize(
    "where", ["cuda", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cpu", "python"))]
)
def test_a_trial_out_of_memory_fails_and_the_next_one_runs(
    prepared: Any, folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    worker = start(prepared, folder, _config())
    worker.step()

    def too_much(trial: Trial, step: int) -> float:
        raise SHORT[where]

    with monkeypatch.context() as patch:
        patch.setattr(Trial, "train_until", too_much)
        failed = worker.step()
    assert failed["failure"].startswith("out of memory: ")
    assert worker.trial is None
    assert worker.step()["failure"] == failed["failure"], "there is no trial to continue"
    assert worker.reset_config(_next(1))
    assert scores(worker.step()) == scores(
        start(prepared, folder, _config() | {"trial": 2}).step()
    )


def test_a_model_out_of_memory_leaves_a_valid_backbone(
    prepared: Any, folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start(prepared, folder, _config())
    before = worker.step()

    def too_large(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    for place in ("study.training.trial.make_optimizer", "torch.nn.Module.to"):
        with monkeypatch.context() as patch:
            patch.setattr(place, too_large)
            worker.reset_config(_next(1))
        assert worker.step()["failure"] == "out of memory: CUDA out of memory.", place
    worker.reset_config(_next(2))
    assert scores(worker.step()) == scores(before)


def test_an_error_other_than_out_of_memory_is_raised(
    prepared: Any, folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start(prepared, folder, _config())

    def bug(trial: Trial, step: int) -> float:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Trial, "train_until", bug)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        worker.step()


def test_a_damaged_checkpoint_causes_a_warning_and_repeats_one_report(
    prepared: Any, folder: StudyFolder, tmp_path: Path
) -> None:
    whole = start(prepared, open_folder(tmp_path / "whole", dump_spec(prepared[0])), _config())
    expected = [scores(whole.step()) for _ in range(3)]
    first = start(prepared, folder, _config())
    first.step(), first.step()
    folder.checkpoint(0).write_bytes(b"half of a checkp")
    second = start(prepared, folder, _config())
    results = [second.step() for _ in range(3)]
    assert "is damaged and was set aside" in results[0]["warnings"][0]
    assert [scores(r | {"warnings": []}) for r in results] == expected


def _next(trial: int) -> dict[str, Any]:
    return _config() | {"trial": trial, "seeds": SEEDS, "reports": 99, "assigned": time.time()}


def test_a_checkpoint_newer_than_a_restored_journal_is_not_used(
    prepared: Any, folder: StudyFolder
) -> None:
    first = start(prepared, folder, _config())
    expected = [scores(first.step()) for _ in range(3)]
    again = start(prepared, folder, _config() | {"reports": 1})
    assert again.step()["report"] == 2, "the one before the last follows from the journal"
    restarted = start(prepared, folder, _config() | {"reports": 0})
    assert [scores(restarted.step()) for _ in range(3)] == expected
