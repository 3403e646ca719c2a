"""A checkpoint that is not exactly the model's is refused by the name of what is wrong in it.

For every family, and for every way in which a checkpoint is stored.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters import target_patterns
from study.errors import InputError
from study.models import Backbone, inspect_backbone, load_backbone
from study.models.families import FAMILIES

Checkpoint = Callable[..., Path]
State = dict[str, torch.Tensor]
STORED = ["safetensors", "bin", "sharded safetensors", "sharded bin"]


def _load(folder: Path) -> Backbone:
    return load_backbone(inspect_backbone(str(folder)), num_labels=2, dtype="float32")


def _store(state: State, folder: Path, how: str) -> None:
    kind = how.split()[-1]
    stem = {"safetensors": "model", "bin": "pytorch_model"}[kind]

    def write(part: State, name: str) -> None:
        if kind == "bin":
            torch.save(part, folder / name)
        else:
            save_file(part, folder / name, metadata={"format": "pt"})

    if not how.startswith("sharded"):
        return write(state, f"{stem}.{kind}")
    names = sorted(state)
    where = {name: f"{stem}-0000{1 + k % 2}-of-00002.{kind}" for k, name in enumerate(names)}
    for file in sorted(set(where.values())):
        write({name: state[name] for name in names if where[name] == file}, file)
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / f"{stem}.{kind}.index.json").write_text(json.dumps(index))
    return None


@contextmanager
def _stored_again(folder: Path, how: str) -> Iterator[State]:
    """The weights, to be changed in place; they are stored as `how` says."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    yield state
    _store(state, folder, how)


def _key(state: State, family: str) -> str:
    """W_f2 of the last layer."""
    [pattern] = target_patterns(family, ["f2"])
    found = [name for name in state if re.fullmatch(rf"{pattern}\.weight", name)]
    return max(found)


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_the_checkpoints_in_every_way_of_storing(
    checkpoint: Checkpoint, family: str, how: str
) -> None:
    folder = checkpoint(family)
    with _stored_again(folder, how) as stored:
        pass
    loaded = _load(folder).model.state_dict()
    checked = set(stored) & set(loaded)
    assert len(checked) >= 2 * 7  # of two layers
    assert all(torch.equal(loaded[name], stored[name]) for name in checked)


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_weight_is_refused_by_name(
    checkpoint: Checkpoint, family: str, how: str
) -> None:
    folder = checkpoint(family)
    with _stored_again(folder, how) as state:
        key = _key(state, family)
        del state[key]
    with pytest.raises(InputError, match=rf"but got 1 missing \({re.escape(key)}\); it is"):
        _load(folder)


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_weight_left_over_is_refused_by_name(
    checkpoint: Checkpoint, family: str, how: str
) -> None:
    folder = checkpoint(family)
    with _stored_again(folder, how) as state:
        key = _key(state, family).replace(".1.", ".2.")
        state[key] = torch.zeros(16, 24)
    with pytest.raises(InputError, match=rf"but got 1 left over \({re.escape(key)}\); it is"):
        _load(folder)


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_weight_of_another_shape_is_refused_by_name(
    checkpoint: Checkpoint, family: str, how: str
) -> None:
    folder = checkpoint(family)
    with _stored_again(folder, how) as state:
        key = _key(state, family)
        state[key] = torch.zeros(16, 48)
    expected = rf"but got 1 of another shape \({re.escape(key)}\); it is"
    with pytest.raises(InputError, match=expected):
        _load(folder)


@pytest.mark.parametrize("rows", [45, 40])
def test_a_fused_matrix_of_another_shape_is_refused(checkpoint: Checkpoint, rows: int) -> None:
    folder = checkpoint("mosaicbert")
    key = "bert.encoder.layer.1.attention.self.Wqkv.weight"
    with _stored_again(folder, "bin") as state:
        assert state[key].shape == (48, 16)
        state[key] = torch.zeros(rows, 16)
    with pytest.raises(InputError, match=r"bert\.encoder\.layer\.1\.attention\.self"):
        _load(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_embedding_of_other_words_is_refused_by_name(
    checkpoint: Checkpoint, family: str
) -> None:
    folder = checkpoint(family)
    with _stored_again(folder, "safetensors") as state:
        [key] = [name for name in state if re.search(r"(embed_tokens|word_embeddings)\.w", name)]
        state[key] = torch.cat([state[key], state[key]])
    with pytest.raises(InputError, match=rf"1 of another shape \({re.escape(key)}"):
        _load(folder)


@pytest.mark.parametrize("how", ["sharded safetensors", "sharded bin"])
def test_a_lost_shard_is_refused_by_name(checkpoint: Checkpoint, how: str) -> None:
    folder = checkpoint("opt")
    with _stored_again(folder, how):
        pass
    [lost] = folder.glob("*-00002-of-00002.*")
    lost.unlink()
    with pytest.raises(InputError, match=re.escape(lost.name)):
        _load(folder)


@pytest.mark.parametrize("how", ["sharded safetensors", "sharded bin"])
def test_a_shard_that_lost_a_weight_of_its_index_is_refused(
    checkpoint: Checkpoint, how: str
) -> None:
    folder = checkpoint("opt")
    key = "model.decoder.layers.1.fc2.weight"
    with _stored_again(folder, how) as state:
        pass
    del state[key]
    [index] = folder.glob("*.index.json")
    complete = index.read_text()
    _store(state, folder, how)
    index.write_text(complete)
    with pytest.raises(InputError, match=re.escape(key)):
        _load(folder)
