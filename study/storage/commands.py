"""Command lines for a stored study, as terminal, page and doctor show them.

They are for the present working directory: a folder below it is named by its relative path, any
other by its absolute one. `--storage` is given unless the folder is in `runs/`, the default.
"""

import re
import shlex
from pathlib import Path

STORAGE = "runs"
"""The default of --storage."""


def reproduce(study: Path) -> str:
    """Returns the command that trains the winner again, as a study `NAME-best` beside this one."""
    place = ("--name", _beside(study, "best"), *_storage(study))
    return _line("run", "--space", shown(study / "best.yaml"), *place)


def random_weights(study: Path) -> str:
    """Returns the command of the same search with random weights, as a study `NAME-random`."""
    weights = ("--set", "backbone.weights=random", "--name", _beside(study, "random"))
    return _line("run", "--space", shown(study / "spec.yaml"), *weights, *_storage(study))


def retrain(study: Path) -> str:
    """Returns the first part of the command that trains a trial again.

    `--name` and `--set` for each searched setting follow.
    """
    return _line("run", "--space", shown(study / "spec.yaml"), *_storage(study))


def compare_seeds(study: Path) -> str:
    """Returns the command that trains the winner with many seeds."""
    return _line("seeds", "--study", shown(study), *_storage(study))


def predict(study: Path) -> str:
    """Returns the command that predicts the classes of the sequences of a file."""
    return _line("predict", shown(study), "new.fa", "--out", "predicted.csv")


def export(study: Path) -> str:
    """Returns the command that writes the winner as a model that transformers loads."""
    out = shown(study.with_name(f"{study.name}-model"))
    return _line("export", shown(study), "--to", "merged", "--out", out)


def report(study: Path) -> str:
    """Returns the command that writes the page again."""
    return _line("report", shown(study))


def resume(study: Path, command: str = "run") -> str:
    """Returns the command that resumes a study or, with `benchmark`, a benchmark."""
    place = (*_storage(study), "--name", study.name)
    return _line(command, "--space", shown(study / "spec.yaml"), *place, "--resume")


def shown(path: Path) -> str:
    """Returns a path as it is written in a command: relative if it is below the working folder."""
    path, here = path.absolute(), Path.cwd()
    text = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return f"./{text}" if text.startswith("-") else text


def _beside(study: Path, ending: str) -> str:
    """Returns the name of a study beside this one, of characters that a name may have."""
    return re.sub(r"^\W|[^A-Za-z0-9_. -]", "_", f"{study.name[:93]}-{ending}")


def _storage(study: Path) -> tuple[str, ...]:
    storage = shown(study.absolute().parent)
    return () if storage == STORAGE else ("--storage", storage)


def _line(command: str, *arguments: str) -> str:
    return shlex.join(["python", "-m", f"study.{command}", *arguments])
