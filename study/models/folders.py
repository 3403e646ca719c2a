"""What a local folder of a backbone is: a model, or something else that is often given as one."""

from collections.abc import Iterator
from pathlib import Path

from study.errors import InputError
from study.models.files import TOKENIZER_FILES, WEIGHT_FILES

_POINTER = b"version https://git-lfs.github.com"
_SAVE = "save the model with save_pretrained"
_OTHER_WEIGHTS = {
    "tf_model.h5": ("TensorFlow weights", "convert them (from_tf=True in transformers 4)"),
    "flax_model.msgpack": ("Flax weights", "convert them (from_flax=True in transformers 4)"),
    "*.gguf": ("GGUF weights", "take the model before its quantisation"),
    "zero_to_fp32.py": ("shards of DeepSpeed", "run zero_to_fp32.py, and then " + _SAVE),
    "model.*.safetensors": ("a variant of the weights", "rename it to model.safetensors"),
    "*.pt": ("a state of torch", "load it into the model's class, and then " + _SAVE),
    "*.pth": ("a state of torch", "load it into the model's class, and then " + _SAVE),
    "*.ckpt": ("a checkpoint of Lightning", "load it with its class, and then " + _SAVE),
}
"""Files without which a folder is a model: what they are, and the step that makes it one."""


def check_folder(name: str, folder: Path, with_weights: bool) -> None:
    """Checks that a folder has config.json and, if they are needed, weights.

    Raises:
        InputError: a file is missing; the message names what the folder is instead, if it is an
            adapter, the output of a Trainer, a clone without its large files, or weights of
            another library.
    """
    _check_adapter(name, folder)
    _check_pointers(name, folder)
    if not (folder / "config.json").is_file():
        _check_trainer(name, folder)
        raise InputError(
            f"backbone {name}: the folder must contain config.json, but got {_listing(folder)}; "
            f"{_SAVE}"
        )
    if with_weights and not any((folder / file).is_file() for file in WEIGHT_FILES):
        _check_trainer(name, folder)
        found, step = next(_other_weights(folder), ("", _SAVE))
        raise InputError(
            f"backbone {name}: the folder must contain weights (model.safetensors or "
            f"pytorch_model.bin), but got {found or _listing(folder)}; {step}"
        )


def _check_adapter(name: str, folder: Path) -> None:
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            f"backbone {name}: the folder must contain a whole model, but got an adapter of PEFT; "
            "merge it into its model: PeftModel.from_pretrained(model, "
            f"{folder.name!r}).merge_and_unload().save_pretrained(FOLDER), with the tokenizer"
        )


def _check_pointers(name: str, folder: Path) -> None:
    for file in ("config.json", *TOKENIZER_FILES, *WEIGHT_FILES):
        if is_pointer(folder / file):
            raise InputError(
                f"backbone {name}: {file} must be the file itself, but got a pointer of Git LFS; "
                "run `git lfs pull` in the folder, or use `hf download`"
            )


def is_pointer(path: Path) -> bool:
    """Returns whether a file is the placeholder that Git leaves for a large file."""
    try:
        return path.stat().st_size <= 1024 and path.read_bytes().startswith(_POINTER)
    except OSError:  # Whoever reads the file reports it.
        return False


def _check_trainer(name: str, folder: Path) -> None:
    def step(path: Path) -> int:
        number = path.name.rpartition("-")[2]
        return int(number) if number.isdecimal() else -1

    saved = sorted((p for p in folder.glob("checkpoint-*") if p.is_dir()), key=step)
    if saved:
        raise InputError(
            f"backbone {name}: the folder must contain a model, but got the output of a Trainer "
            f"with {', '.join(path.name for path in saved[:4])}; give one of them, e.g. "
            f"{folder / saved[-1].name}"
        )


def _other_weights(folder: Path) -> Iterator[tuple[str, str]]:
    for pattern, (what, step) in _OTHER_WEIGHTS.items():
        for path in sorted(folder.glob(pattern)):
            yield f"{what} ({path.name})", step


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"
