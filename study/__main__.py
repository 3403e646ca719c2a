"""All commands: `adalora-rs COMMAND …`, or `python -m study COMMAND …`.

Without a command their names are printed. `adalora-rs run` is `python -m study.run`. Exit status:
2 for an unknown command, else that of the command.
"""

import difflib
import importlib
import sys
from pathlib import Path

from study import __version__
from study.cli import BAD_INPUT, DONE, exit_with
from study.cli.parser import SCRIPT

GROUPS = {
    "train": {
        "run": "search the hyperparameters of a method for a task",
        "seeds": "compare configurations over many seeds",
        "benchmark": "compare methods, backbones and tasks; make the paper's tables",
    },
    "read what a command has stored": {
        "status": "show what a study does, from any terminal",
        "serve": "show all studies of a folder in a browser",
        "report": "write the page of a study, benchmark or comparison",
        "doctor": "check a folder, and say how to repair it",
    },
    "use the winner": {
        "predict": "predict the classes of sequences in a file",
        "export": "write the winner as a model for transformers, PEFT or ONNX",
    },
    "clusters": {"cluster": "print a job file for Slurm, KubeRay or `ray up`"},
    "backbones": {
        "pretrain": "pre-train a small backbone on DNA",
        "card": "measure a backbone for its model card",
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}
EXAMPLES = (
    "run --space adalora_rs.yaml",
    "status runs/adalora_rs --watch",
    "report runs/adalora_rs",
    "predict runs/adalora_rs new.fa --out predicted.csv",
    "seeds --study runs/adalora_rs --against runs/lora",
)
_MEANT = {
    "run": ("train", "tune", "search", "study", "start", "resume", "sweep"),
    "seeds": ("compare", "comparison", "replicate", "seed"),
    "benchmark": ("bench", "tables"),
    "status": ("watch", "show", "top", "progress", "ls"),
    "serve": ("web", "dashboard", "ui", "server", "browse"),
    "report": ("plot", "page", "html", "summary"),
    "doctor": ("check", "repair", "verify", "diagnose"),
    "predict": ("infer", "inference", "classify", "apply", "test", "evaluate"),
    "export": ("save", "merge", "convert", "model"),
    "cluster": ("slurm", "kuberay", "ray-up", "sbatch"),
}
"""Commands as other tools name them."""


def main() -> int:
    """Runs the command that the process's arguments name, and returns its exit status."""
    first, *rest = sys.argv[1:] or ["--help"]
    if first == "help" and rest:
        first, rest = rest[0], ["--help"]
    if first in ("-h", "--help", "help"):
        print(_overview())  # noqa: T201
        return DONE
    if first in ("-V", "--version", "version"):
        print(f"{SCRIPT} {__version__}")  # noqa: T201
        return DONE
    if first not in COMMANDS:
        print(f"error: {_unknown(first)}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
    sys.argv[1:] = rest  # The command reads its arguments there, and prints how to resume.
    module = importlib.import_module(f"study.{first}")
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"study.{first}.__main__")
    status: int = module.main()
    return status


def script() -> None:
    """Is the console script `adalora-rs`."""
    exit_with(main)


def _program() -> str:
    return SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m study"


def _overview() -> str:
    program = _program()
    lines = [f"usage: {program} COMMAND [options]", "", "Fine-tune DNA and language models with "
             "AdaLoRA+RS, and find its hyperparameters."]  # fmt: skip
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:<11}{text}" for name, text in commands.items())]
    lines += ["", "examples:", *(f"  {program} {arguments}" for arguments in EXAMPLES)]
    lines += ["", f"{program} COMMAND --help has the options of a command; {program} --version"]
    return "\n".join(lines)


def _unknown(word: str) -> str:
    """Returns the error for a word that is no command."""
    from study.errors import one_line

    names = ", ".join(COMMANDS)
    text = f"COMMAND: must be one of {names}, but got {word[:60]!r}"
    meant = [name for name, others in _MEANT.items() if word.lower() in others]
    meant += difflib.get_close_matches(word.lower(), COMMANDS, n=1)
    if word.endswith((".yaml", ".yml")) or word.startswith("--space"):
        fix = f"write {_program()} run --space {'…' if word.startswith('-') else word}"
    else:
        fix = f"did you mean {meant[0]}?" if meant else f"{_program()} --help explains them"
    return one_line(f"{text}; {fix}")


if __name__ == "__main__":
    script()
