"""Folders that are given as a backbone and are something else: said as what they are."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import InputError
from study.models import inspect_backbone

Checkpoint = Callable[..., Path]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 468354981\n"


def _refused(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        inspect_backbone(str(folder))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_adapter_of_peft_is_named_with_the_way_to_merge_it(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert")
    (folder / "adapter_config.json").write_text("{}")
    assert "but got an adapter of PEFT; merge it" in _refused(folder)
    for file in ("config.json", "model.safetensors", "vocab.txt"):
        (folder / file).unlink()
    assert ".merge_and_unload()" in _refused(folder)


@pytest.mark.parametrize("with_config", [False, True])
def test_the_output_of_a_trainer_is_named_with_its_last_checkpoint(
    checkpoint: Checkpoint, tmp_path: Path, with_config: bool
) -> None:
    source, folder = checkpoint("bert"), tmp_path / "output"
    for step in (500, 1000, 90):
        shutil.copytree(source, folder / f"checkpoint-{step}")
    (folder / "checkpoint-best").mkdir()
    if with_config:
        shutil.copy(source / "config.json", folder)
    error = _refused(folder)
    assert "but got the output of a Trainer with checkpoint-best, checkpoint-90" in error
    assert error.endswith(f"give one of them, e.g. {folder / 'checkpoint-1000'}")
    assert inspect_backbone(error.rpartition(" ")[2]).family == "bert"


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "vocab.txt"])
def test_a_pointer_of_git_lfs_is_named(checkpoint: Checkpoint, file: str) -> None:
    folder = checkpoint("bert")
    (folder / file).write_text(POINTER)
    error = _refused(folder)
    assert f"{file} must be the file itself, but got a pointer of Git LFS" in error
    assert "git lfs pull" in error


@pytest.mark.parametrize(
    ("file", "what", "step"),
    [
        ("tf_model.h5", "TensorFlow weights", "from_tf=True"),
        ("flax_model.msgpack", "Flax weights", "from_flax=True"),
        ("model.fp16.safetensors", "a variant of the weights", "rename it to model.safetensors"),
        ("model.pt", "a state of torch", "save_pretrained"),
        ("epoch=3.ckpt", "a checkpoint of Lightning", "save_pretrained"),
        ("model-q4.gguf", "GGUF weights", "before its quantisation"),
        ("zero_to_fp32.py", "shards of DeepSpeed", "run zero_to_fp32.py"),
    ],
)
def test_weights_of_another_kind_are_named_with_the_step_that_helps(
    checkpoint: Checkpoint, file: str, what: str, step: str
) -> None:
    folder = checkpoint("bert")
    (folder / "model.safetensors").rename(folder / file)
    error = _refused(folder)
    assert f"but got {what} ({file}); " in error
    assert step in error.partition("; ")[2]
