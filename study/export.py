"""Take a study's winner elsewhere: `python -m study.export DIR --to FORMAT --out FOLDER`.

DIR is a study folder, `<storage>/<name>/`. Formats:

    peft-lora     for `peft.PeftModel.from_pretrained`: singular values multiplied in, dead
                  triplets left out, the head beside them
    peft-adalora  the same, with the singular values apart
    merged        plain weights for the backbone's class in transformers, with its tokenizer

Exit status: 0 done, 2 bad input.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from study.models import BackboneInfo
    from study.spec import StudySpec
    from study.training.methods import Prepared

FORMATS = ("peft-lora", "peft-adalora", "merged")
DONE, BAD_INPUT = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        _export(options.study.absolute(), options.to, options.out.absolute())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
    print(options.out)  # noqa: T201
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m study.export",
        description="Write a study's winner for PEFT, or as plain transformers weights.",
    )
    parser.add_argument("study", metavar="DIR", type=Path, help="a study folder")
    parser.add_argument("--to", choices=FORMATS, required=True, help="what to write")
    parser.add_argument("--out", type=Path, required=True, help="a folder, empty or not yet there")
    return parser


def _export(study: Path, to: str, out: Path) -> None:
    from study.models.families import FAMILIES
    from study.spec import load_spec
    from study.storage.folder import StudyFolder
    from study.storage.journal import check_version

    folder = StudyFolder(study)
    if not folder.best_spec.is_file() or not (folder.best / "head.safetensors").is_file():
        raise InputError(
            f"{study}: must be the folder of a finished study, with best.yaml and best/, found "
            f"none; finish it with study.run --resume"
        )
    check_version(folder.journal)
    spec = load_spec(str(folder.best_spec))
    if to != "merged" and spec.adapter.method in ("fmft", "linear_probe"):
        raise InputError(
            f"--to {to}: the winner must have adapters, found method {spec.adapter.method}; "
            "take --to merged"
        )
    if to != "merged" and spec.backbone.random_seed is not None:
        raise InputError(
            f"--to {to}: the backbone must be one that PEFT can load, but the winner's has random "
            "weights, which are stored nowhere; take --to merged"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: must be an empty folder or none, found a used one")
    prepared, info = _winner(spec, folder.best)
    try:
        _write(prepared, info, to, out)
    except OSError as error:
        raise InputError(
            f"--out {out}: must be a folder that can be written, but: {error.strerror}"
        ) from error
    module, name = FAMILIES[info.family].classifier.split(":")
    if module.startswith("study."):  # transformers' Auto classes do not know it.
        print(f"load the model with {module}.{name}.from_pretrained")  # noqa: T201


def _winner(spec: "StudySpec", best: Path) -> "tuple[Prepared, BackboneInfo]":
    """The trained model: the backbone with the weights in `best`, on the CPU."""
    import torch

    from study.models import head_labels, inspect_backbone, load_backbone
    from study.training.methods import prepare

    wanted = spec.backbone
    random = wanted.random_seed is not None
    info = inspect_backbone(wanted.name, wanted.revision, with_weights=not random)
    trained = _read(best / "head.safetensors")
    labels = head_labels(info.family, trained)
    if labels is None:
        raise InputError(
            f"{best / 'head.safetensors'}: must hold a head of the {info.family} family, found "
            f"{', '.join(trained) or 'nothing'}"
        )
    backbone = load_backbone(
        info, num_labels=labels, dtype=wanted.dtype, random_seed=wanted.random_seed
    )
    prepared = prepare(spec, backbone, torch.device("cpu"))
    if prepared.backbone:
        trained |= _read(best / "model.safetensors")
    _fill(prepared, trained, best)
    return prepared, info


def _read(path: Path) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: must be a safetensors file, but: {error}") from error


def _fill(prepared: "Prepared", trained: "Mapping[str, Tensor]", best: Path) -> None:
    import torch
    from safetensors import SafetensorError

    from adapters import load_adapters

    mine = prepared.head | prepared.backbone
    strange = sorted(mine.keys() ^ trained.keys())
    strange += [
        name for name in mine.keys() & trained.keys() if mine[name].shape != trained[name].shape
    ]
    if strange:
        raise InputError(
            f"{best}: must hold what the winner of best.yaml trained, but {strange[0]} is "
            "missing, left over or of another shape"
        )
    with torch.no_grad():
        for name, parameter in mine.items():
            parameter.copy_(trained[name])
    if prepared.adapters:
        try:
            load_adapters(prepared.model, best / "adapters.safetensors")
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(f"{best}: must hold the winner's adapters, but: {error}") from error


def _write(prepared: "Prepared", info: "BackboneInfo", to: str, out: Path) -> None:
    import shutil

    from adapters import merge, save_peft_adalora, save_peft_lora
    from study.models import head_modules
    from study.models.files import TOKENIZER_FILES

    model: Any = prepared.model.eval()
    if to != "merged":
        save = save_peft_lora if to == "peft-lora" else save_peft_adalora
        save(
            model,
            out,
            head=head_modules(info.family),
            task_type="SEQ_CLS",
            base_model=info.source,
            revision=info.revision,
        )
        return
    if prepared.adapters:
        merge(model)
    model.save_pretrained(out)
    for name in TOKENIZER_FILES:
        if (info.folder / name).is_file():
            shutil.copy(info.folder / name, out / name)


if __name__ == "__main__":
    sys.exit(main())
