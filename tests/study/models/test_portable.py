"""Backbones in another process: files sent along, folders and caches of the other machine."""

import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from study.errors import UnavailableError
from study.models import BackboneInfo, inspect_backbone, load_backbone
from study.models.portable import check_available, local_copy, portable

COMMIT = "c0ffee" * 6 + "c0ff"


def sent(info: BackboneInfo) -> BackboneInfo:
    found: BackboneInfo = pickle.loads(pickle.dumps(portable(info)))
    return found


def test_the_embedded_backbone_loads_on_a_machine_without_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    info = inspect_backbone("opt-dna-mini")
    remote = replace(sent(info), source="/nowhere", folder=Path("/nowhere"))
    check_available(remote, with_weights=True)
    here, there = (load_backbone(i, num_labels=2, dtype="float32").model for i in (info, remote))
    weights = dict(there.named_parameters())
    for name, weight in here.named_parameters():
        assert torch.equal(weight, weights[name]) or name.startswith("score"), name
    assert list(tmp_path.iterdir()) == []


def test_a_folder_must_exist_with_the_same_files(checkpoint: Callable[..., Path]) -> None:
    folder = checkpoint("opt")
    info = sent(inspect_backbone(str(folder)))
    check_available(info, with_weights=True)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + b"!")
    with pytest.raises(UnavailableError, match=r"but got one with other files; put it on"):
        load_backbone(info, num_labels=2, dtype="float32")
    folder.rename(folder.with_name("moved"))
    with pytest.raises(UnavailableError, match=r"must be the same folder .*, but got none"):
        check_available(info, with_weights=True)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, which is offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def fill(cache: Path, source: Path, *names: str, commit: str = COMMIT) -> Path:
    """Copies files of a folder into a cache as those of facebook/opt-125m."""
    model = cache / "models--facebook--opt-125m"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True, exist_ok=True)
    for name in names or [path.name for path in source.iterdir()]:
        (snapshot / name).write_bytes((source / name).read_bytes())
    (model / "refs").mkdir(exist_ok=True)
    (model / "refs" / "main").write_text(commit)
    return snapshot


def test_a_hub_model_must_be_in_the_cache_at_the_inspected_commit(
    checkpoint: Callable[..., Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint("opt")
    fill(cache, folder)
    info = sent(inspect_backbone("facebook/opt-125m"))
    assert info.commit == COMMIT
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache / "other"))
    with pytest.raises(UnavailableError, match="no copy in the cache"):
        check_available(info, with_weights=True)
    fill(cache / "other", folder, commit="0" * 40)
    with pytest.raises(UnavailableError, match=f"--revision {COMMIT}"):
        check_available(info, with_weights=True)
    snapshot = fill(cache / "other", folder)
    check_available(info, with_weights=True)
    with local_copy(info) as found:
        assert found.folder == snapshot


def test_all_shards_of_a_hub_model_must_be_in_the_cache(
    checkpoint: Callable[..., Path], cache: Path
) -> None:
    folder = checkpoint("opt", max_shard_size="8KB")
    small = [
        p.name for p in folder.iterdir() if p.suffix != ".safetensors" and "index" not in p.name
    ]
    fill(cache, folder, *small)
    info = portable(inspect_backbone("facebook/opt-125m"))
    check_available(info, with_weights=False)
    with pytest.raises(UnavailableError, match="no copy in the cache"):
        check_available(info, with_weights=True)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    first, *others = sorted(set(index["weight_map"].values()))
    assert others
    fill(cache, folder, *small, "model.safetensors.index.json", first)
    with pytest.raises(UnavailableError, match="no copy in the cache"):
        check_available(info, with_weights=True)
    fill(cache, folder)
    check_available(info, with_weights=True)
