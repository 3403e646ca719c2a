"""Exports the winner of a study: `python -m study.export DIR --to FORMAT --out FOLDER`.

DIR is a study folder, `<storage>/<name>/`. Formats:

    peft-lora     for `peft.PeftModel.from_pretrained`, with the head: singular values multiplied
                  into P, pruned triplets removed
    peft-adalora  the same, with separate singular values
    merged        weights for the backbone's class in transformers, with its tokenizer

Exit status: 0 done, 1 a storage error, 2 bad input, 130 interrupted.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.cli import DONE, Parser, exit_with, path_option, run_command
from study.errors import InputError, instead_of

if TYPE_CHECKING:
    from study.models import BackboneInfo
    from study.storage.stored import StoredStudy
    from study.training.methods import PreparedModel

FORMATS = ("peft-lora", "peft-adalora", "merged")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return run_command(run, _parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Exports the winner and prints the folder."""
    _export(options.study.absolute(), options.to, options.out.absolute())
    print(options.out)  # noqa: T201
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser.of(
        "export",
        "Export the winner of a study for PEFT, or as weights for transformers.",
        [
            "runs/adalora_rs --to merged --out my_model",
            "runs/adalora_rs --to peft-lora --out my_adapter",
        ],
    )
    parser.add_argument("study", metavar="DIR", type=path_option, help="a study folder")
    parser.add_argument("--to", choices=FORMATS, required=True, help="the format")
    parser.add_argument("--out", type=path_option, required=True, help="an empty or a new folder")
    return parser


def _export(study: Path, to: str, out: Path) -> None:
    from study.models.families import FAMILIES
    from study.spec import load_spec
    from study.storage.folder import StudyFolder
    from study.storage.stored import StoredStudy
    from study.training.trained import load_trained

    folder = StudyFolder(study)
    head = folder.best / "head.safetensors"
    if not folder.best_spec.is_file() or not head.is_file():
        raise InputError(
            f"{study}: must be the folder of a finished study, with best.yaml and best/, but got "
            f"{instead_of(folder.best_spec, head)}; give a "
            "study that has ended, or finish it with study.run --resume"
        )
    stored = StoredStudy.read(folder)  # Refuses a folder of a newer version.
    spec = load_spec(str(folder.best_spec), stored=True)
    if to != "merged" and spec.adapter.method in ("fmft", "linear_probe"):
        raise InputError(
            f"--to {to}: the winner must have adapters, but got method {spec.adapter.method}; "
            "use --to merged"
        )
    if to != "merged" and spec.backbone.random_seed is not None:
        raise InputError(
            f"--to {to}: PEFT must be able to load the backbone, but got random weights, which "
            "are not stored; use --to merged"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            f"--out {out}: must be an empty or a new folder, but got a used one; choose another"
        )
    opened = stored.opened
    prepared, info = load_trained(spec, folder.best, (opened and opened.backbone) or None)
    _name_classes(prepared, stored)
    try:
        remark = _write(prepared, info, to, out)
    except OSError as error:
        raise InputError(
            f"--out {out}: must be writable, but got {error.strerror}; choose another folder"
        ) from error
    module, name = FAMILIES[info.family].classifier.split(":")
    if module.startswith("study."):  # Not known to the Auto classes of transformers.
        print(f"load the model with {module}.{name}.from_pretrained")  # noqa: T201
    if remark:
        print(remark)  # noqa: T201


def _name_classes(prepared: "PreparedModel", stored: "StoredStudy") -> None:
    """Writes the names of the classes, if the study's labels have names, to the model's config."""
    quality = stored.opened.quality if stored.opened is not None else {}
    names = (quality or {}).get("classes")
    config: Any = prepared.model.config
    if isinstance(names, list) and len(names) == config.num_labels:
        config.id2label = dict(enumerate(names))
        config.label2id = {name: label for label, name in enumerate(names)}


def _write(prepared: "PreparedModel", info: "BackboneInfo", to: str, out: Path) -> str:
    """Writes the model; returns what the user must know about its tokenizer, often nothing."""
    from adapters import merge, save_peft_adalora, save_peft_lora
    from study.models import head_modules
    from study.models.exported_tokenizer import write_tokenizer

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
        return ""
    if prepared.adapters:
        merge(model)
    model.save_pretrained(out)
    return write_tokenizer(info, out)


if __name__ == "__main__":
    exit_with(main)
