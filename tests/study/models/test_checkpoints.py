"""A checkpoint must have exactly the weights of the model; errors name the keys.

For every family and every file format.
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
from study.models.families import PRETRAINED

Checkpoint = Callable[..., Path]
State = dict[str, torch.Tensor]
FORMATS = ["safetensors", "bin", "sharded safetensors", "sharded bin"]


def _load(folder: Path) -> Backbone:
    return load_backbone(inspect_backbone(str(folder)), num_labels=2, dtype="float32")


def _store(state: State, folder: Path, file_format: str) -> None:
    kind = file_format.split()[-1]
    stem = {"safetensors": "model", "bin": "pytorch_model"}[kind]

    def write(part: State, name: str) -> None:
        if kind == "bin":
            torch.save(part, folder / name)
        else:
            save_file(part, folder / name, metadata={"format": "pt"})

    if not file_format.startswith("sharded"):
        return write(state, f"{stem}.{kind}")
    names = sorted(state)
    shards = {name: f"{stem}-0000{1 + k % 2}-of-00002.{kind}" for k, name in enumerate(names)}
    for file in sorted(set(shards.values())):
        write({name: state[name] for name in names if shards[name] == file}, file)
    index = {"metadata": {"total_size": 1}, "weight_map": shards}
    (folder / f"{stem}.{kind}.index.json").write_text(json.dumps(index))
    return None


@contextmanager
def _edited(folder: Path, file_format: str = "safetensors") -> Iterator[State]:
    """Yields the weights, to be changed in place, and stores them in a format."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    yield state
    _store(state, folder, file_format)


def _key(state: State, family: str, matrix: str = "f2") -> str:
    """The key of a matrix of the last layer."""
    [pattern] = target_patterns(family, [matrix])
    return max(name for name in state if re.fullmatch(rf"{pattern}\.weight", name))


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("family", PRETRAINED)
def test_every_weight_is_that_of_the_checkpoint(
    checkpoint: Checkpoint, family: str, file_format: str
) -> None:
    folder = checkpoint(family)
    with _edited(folder, file_format) as stored:
        pass
    loaded = _load(folder).model.state_dict()
    checked = set(stored) & set(loaded)
    assert len(checked) >= 2 * 7  # of two layers
    assert all(torch.equal(loaded[name], stored[name]) for name in checked)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("family", PRETRAINED)
def test_weights_missing_left_over_and_of_another_shape_are_refused_by_name(
    checkpoint: Checkpoint, family: str, file_format: str
) -> None:
    folder = checkpoint(family)
    with _edited(folder, file_format) as state:
        missing, reshaped = _key(state, family), _key(state, family, "o")
        left_over = missing.replace(".1.", ".2.")
        state[left_over] = state.pop(missing)
        state[reshaped] = torch.zeros(16, 48)
    expected = (
        f"but got 1 missing ({missing}) and 1 left over ({left_over}) and 1 of another shape "
        f"({reshaped}); it is damaged"
    )
    with pytest.raises(InputError, match=re.escape(expected)):
        _load(folder)


@pytest.mark.parametrize("fault", ["missing", "left over", "of another shape"])
def test_one_fault_is_enough(checkpoint: Checkpoint, fault: str) -> None:
    folder = checkpoint("bert")
    with _edited(folder) as state:
        key = _key(state, "bert")
        if fault == "missing":
            del state[key]
        elif fault == "left over":
            key = key.replace(".1.", ".2.")
            state[key] = torch.zeros(16, 24)
        else:
            state[key] = torch.zeros(16, 48)
    with pytest.raises(InputError, match=rf"but got 1 {fault} \({re.escape(key)}\); it is"):
        _load(folder)


@pytest.mark.parametrize("rows", [45, 40])
def test_a_fused_matrix_of_another_shape_is_refused(checkpoint: Checkpoint, rows: int) -> None:
    folder = checkpoint("mosaicbert")
    key = "bert.encoder.layer.1.attention.self.Wqkv.weight"
    with _edited(folder, "bin") as state:
        assert state[key].shape == (48, 16)
        state[key] = torch.zeros(rows, 16)
    with pytest.raises(InputError, match=r"bert\.encoder\.layer\.1\.attention\.self"):
        _load(folder)


@pytest.mark.parametrize("family", PRETRAINED)
def test_an_embedding_of_another_vocabulary_is_refused_by_name(
    checkpoint: Checkpoint, family: str
) -> None:
    folder = checkpoint(family)
    with _edited(folder) as state:
        [key] = [
            name for name in state if re.search(r"(embed_tokens|(word|tok)_embeddings)\.w", name)
        ]
        state[key] = torch.cat([state[key], state[key]])
    with pytest.raises(InputError, match=rf"1 of another shape \({re.escape(key)}"):
        _load(folder)


@pytest.mark.parametrize("file_format", ["sharded safetensors", "sharded bin"])
def test_a_missing_shard_is_refused_by_name(checkpoint: Checkpoint, file_format: str) -> None:
    folder = checkpoint("opt")
    with _edited(folder, file_format):
        pass
    [lost] = folder.glob("*-00002-of-00002.*")
    lost.unlink()
    with pytest.raises(InputError, match=re.escape(lost.name)):
        _load(folder)


@pytest.mark.parametrize("file_format", ["sharded safetensors", "sharded bin"])
def test_a_shard_without_a_weight_of_the_index_is_refused(
    checkpoint: Checkpoint, file_format: str
) -> None:
    folder = checkpoint("opt")
    key = "model.decoder.layers.1.fc2.weight"
    with _edited(folder, file_format) as state:
        pass
    del state[key]
    [index] = folder.glob("*.index.json")
    complete = index.read_text()
    _store(state, folder, file_format)
    index.write_text(complete)
    with pytest.raises(InputError, match=re.escape(key)):
        _load(folder)
