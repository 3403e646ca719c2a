"""The files of a trained trial contain all of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from adapters import load_adapters
from study.training.files.artifacts import save_artifacts
from study.training.files.identity import difference, identity
from study.training.files.mask_events import mask_event_arrays
from study.training.trial import Trial
from tests.study.training.tiny_trials import METHODS, tiny_backbone, tiny_trial

EVENTS = ("budget_trace.json", "mask_events.npz")
FILES = {
    "adalora_rs": {"adapters.safetensors", "head.safetensors", *EVENTS},
    "adalora": {"adapters.safetensors", "head.safetensors", *EVENTS},
    "lora": {"adapters.safetensors", "head.safetensors"},
    "fmft": {"model.safetensors", "head.safetensors"},
    "linear_probe": {"head.safetensors"},
}


def _load(trial: Trial, folder: Path) -> None:
    if (folder / "adapters.safetensors").exists():
        load_adapters(trial.model, folder / "adapters.safetensors")
    with torch.no_grad():
        for file in ("head.safetensors", "model.safetensors"):
            tensors = load_file(folder / file) if (folder / file).exists() else {}
            for name, tensor in tensors.items():
                trial.model.get_parameter(name).copy_(tensor)


@pytest.mark.parametrize(
    ("family", "method"), [*(("opt", m) for m in METHODS), ("esm", "adalora_rs"), ("esm", "fmft")]
)
def test_the_files_give_a_fresh_model_the_same_logits(
    family: str, method: str, tmp_path: Path
) -> None:
    settings = {"prune_mode": "mask"} if method == "adalora_rs" else {}
    trial = tiny_trial(method, on=tiny_backbone(family), **settings)
    trial.train_until(5)
    save_artifacts(trial, tmp_path / "best")
    assert {path.name for path in (tmp_path / "best").iterdir()} == FILES[method]
    other_start = {"seeds": {"init": 5}}
    fresh = tiny_trial(method, on=tiny_backbone(family), **settings, **other_start)
    assert (fresh.logits(trial.data.test) != trial.logits(trial.data.test)).any()
    _load(fresh, tmp_path / "best")
    assert (fresh.logits(trial.data.test) == trial.logits(trial.data.test)).all()


def test_the_trace_has_every_mask_event(tmp_path: Path) -> None:
    trial = tiny_trial()
    trial.train_until(12)
    save_artifacts(trial, tmp_path)
    trace = json.loads((tmp_path / "budget_trace.json").read_text())
    assert [entry["step"] for entry in trace] == [2, 4, 6, 8, 9]
    assert [entry["budget"] for entry in trace] == [b for _, b in trial.plan.budget.events()]
    for entry in trace:
        assert entry["kept"] == entry["budget"] - entry["dropped"] + entry["reintroduced"]
        assert entry["kept"] == sum(entry["ranks"].values())
        assert set(entry["ranks"]) == set(trial.prepared.adapters)


def test_the_triplets_of_every_mask_event_agree_with_the_trace(tmp_path: Path) -> None:
    trial = tiny_trial()
    trial.train_until(5)
    resumed = tiny_trial()
    resumed.load_state_dict(trial.state_dict())
    resumed.train_until(12)
    save_artifacts(resumed, tmp_path)
    trace = json.loads((tmp_path / "budget_trace.json").read_text())
    with np.load(tmp_path / "mask_events.npz", allow_pickle=False) as file:
        arrays = dict(file)
    allocator = resumed.allocator
    assert allocator is not None
    triplets = allocator.budget.triplets
    kept, top = (
        np.unpackbits(arrays[name], axis=1, count=triplets).astype(bool)
        for name in ("event_kept", "event_top")
    )
    assert arrays["event_steps"].tolist() == [entry["step"] for entry in trace]
    assert kept.sum(axis=1).tolist() == [entry["kept"] for entry in trace]
    assert top.sum(axis=1).tolist() == [entry["budget"] for entry in trace]
    assert (top & ~kept).sum(axis=1).tolist() == [entry["dropped"] for entry in trace]
    assert (kept[-1] == allocator.kept().numpy()).all()
    assert arrays["modules"].tolist() == list(trace[0]["ranks"])
    assert arrays["scored_steps"].tolist() == [2, 6, 9]
    assert arrays["event_scores"][-1].tolist() == allocator.scores().tolist()


def test_mask_events_before_a_checkpoint_of_an_older_version_are_left_out(tmp_path: Path) -> None:
    trial, resumed = tiny_trial(), tiny_trial()
    trial.train_until(5)
    state = trial.state_dict()
    for name in ("outcomes", "event_scores"):
        del state["allocator"][name]
    resumed.load_state_dict(state)
    resumed.train_until(12)
    arrays = mask_event_arrays(resumed)
    assert arrays["event_steps"].tolist() == [6, 8, 9]
    assert arrays["scored_steps"].tolist() == [6, 9]
    assert len(arrays["event_kept"]) == len(arrays["event_top"]) == 3
    assert (arrays["event_scores"] >= 0).all()


def test_the_metadata_name_backbone_method_and_task(tmp_path: Path) -> None:
    trial = tiny_trial("lora", backbone={"name": "some/model"})
    save_artifacts(trial, tmp_path)
    for name in FILES["lora"]:
        with safe_open(tmp_path / name, framework="pt") as file:
            metadata = file.metadata()
        assert {key: metadata[key] for key in ("backbone", "method", "task")} == {
            "backbone": "some/model",
            "method": "lora",
            "task": "tiny",
        }
        assert json.loads(metadata["adapter"]) == trial.spec.adapter.model_dump(mode="json")
        assert json.loads(metadata["seeds"]) == trial.spec.seeds.model_dump(mode="json")
        assert ("adapters.layers" in metadata) == (name == "adapters.safetensors")


def test_the_adapters_are_loaded_for_the_same_allocator_only(tmp_path: Path) -> None:
    trial = tiny_trial()
    save_artifacts(trial, tmp_path)
    file = tmp_path / "adapters.safetensors"
    load_adapters(trial.model, file, allocator=trial.allocator)
    other = tiny_trial(seeds={"mask": 7})
    with pytest.raises(ValueError, match="mask_seed"):
        load_adapters(other.model, file, allocator=other.allocator)


def test_a_difference_of_settings_or_seeds_is_named() -> None:
    spec = tiny_trial("lora").spec
    assert difference(identity(spec), spec) is None
    assert difference({"method": "lora"}, spec) is None, "a file of an older version"
    stored = identity(spec) | {"adapter": json.dumps({"method": "lora", "rank": 99, "new": 1})}
    assert difference(stored, spec) == f"adapter.rank=99, not {spec.adapter.rank}"
    seeds = {"seeds": json.dumps({"init": spec.seeds.init, "data": 8})}
    assert difference(seeds, spec) == f"seeds.data=8, not {spec.seeds.data}"
    assert "not a JSON object" in str(difference({"adapter": "{"}, spec))
