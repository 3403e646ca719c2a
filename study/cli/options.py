"""The options of `study.run` and `study.benchmark`, and those that other commands share."""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from study.cli.parser import Parser, path_text
from study.errors import InputError

Option = Callable[..., argparse.Action]


def parse_study(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line of `study.run`."""
    parser = Parser.of(
        "run",
        "Search the hyperparameters of AdaLoRA+RS, or of another method, for one task.",
        [
            "--space adalora_rs.yaml",
            "--space adalora_rs.yaml --set task.path=my/folder --name mine",
            "--space adalora_rs.yaml --trials 64 --gpus-per-trial 0.5",
            "--space adalora_rs.yaml --dry-run",
            "--space adalora_rs.yaml --resume",
        ],
    )
    add_study(parser, "study", "adalora_rs")
    add = parser.add_argument_group("search").add_argument
    add("--trials", type=int, metavar="N", help="search.trials")
    add(
        "--warm-start",
        type=path_text,
        metavar="DIR",
        help="start the sampler with an earlier study's results",
    )
    add_services(parser)
    add = parser.add_argument_group("TensorBoard").add_argument
    add("--tensorboard", action="store_true", help="write files for it into tensorboard/")
    add = parser.add_argument_group("an interrupted or finished study").add_argument
    add("--resume", action="store_true", help="resume an interrupted study")
    add("--extend", type=int, metavar="N", help="resume with N more trials, also when finished")
    add = add_plan(parser)
    text = "with the plan: time some steps, and estimate time and memory"
    add("--calibrate", action="store_true", help=text)
    text = "with the plan: the schedules at the corners of the space"
    add("-v", "--verbose", action="store_true", help=text)
    add("--print-schema", action="store_true", help="print the JSON schema of a space and exit")
    arguments = parser.parse_args(argv)
    if not arguments.space and not arguments.print_schema:
        parser.error("--space is required: a YAML file, or a name such as adalora_rs")
    if arguments.extend is not None and arguments.trials is not None:
        parser.error("--extend adds to the trials of a study, so --trials must be left out")
    arguments.resume = arguments.resume or arguments.extend is not None
    if arguments.verbose and not (arguments.dry_run or arguments.calibrate):
        parser.error("-v says more of a plan, so --dry-run must be given too")
    arguments.dry_run = arguments.dry_run or arguments.calibrate
    return arguments


def parse_benchmark(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line of `study.benchmark`."""
    parser = Parser.of(
        "benchmark",
        "Run backbones x tasks x methods x seeds, and make the paper's tables.",
        [
            "--space mini_tables.yaml",
            "--space paper_tables.yaml --dry-run",
            "--space paper_tables.yaml --address auto --storage /shared/runs",
            "--space paper_tables.yaml --address auto --storage /shared/runs --resume",
        ],
    )
    add_study(parser, "benchmark", "mini_tables")
    add_services(parser)
    add = parser.add_argument_group("an interrupted or finished benchmark").add_argument
    add("--resume", action="store_true", help="resume, also with more seeds, tasks or methods")
    add_plan(parser)
    arguments = parser.parse_args(argv)
    if not arguments.space:
        parser.error("--space is required: a YAML file, or a name such as mini_tables")
    return arguments


def add_study(parser: argparse.ArgumentParser, what: str, shipped: str) -> None:
    """Adds the options that say what is run and where it is stored."""
    add = parser.add_argument_group(f"the {what}").add_argument
    add(
        "--space",
        type=path_text,
        metavar="YAML|NAME",
        help=f"a YAML file or the name of a shipped one, such as {shipped}",
    )
    add("--set", action="append", default=[], metavar="a.b=c", help="override a setting")
    add("--name", help=f"the {what}'s name (default: the YAML's)")
    add("--storage", type=path_text, default="runs", metavar="DIR", help=STORAGE_HELP)


STORAGE_HELP = "folder in which the folder NAME is made (runs)"


def add_services(parser: argparse.ArgumentParser) -> None:
    """Adds the options for resources, the Ray cluster and the tracking server."""
    add = parser.add_argument_group("machines").add_argument
    add("--max-concurrent", type=int, metavar="N", help="most trials at once")
    add("--gpus-per-trial", type=float, metavar="F", help="GPUs, or a share of one, of a trial")
    add("--cpus-per-trial", type=int, metavar="N", help="CPU cores of a trial (1)")
    add("--address", metavar="auto|HOST:PORT", help="a Ray cluster (default: this machine)")
    add("--no-token", action="store_true", help="accept a Ray cluster that requires no token")
    add = parser.add_argument_group("tracking").add_argument
    add("--tracking-uri", metavar="URI", help="an MLflow server (default: sqlite in the folder)")
    add("--experiment", metavar="NAME", help="MLflow's experiment (default: one for the task)")
    add = parser.add_argument_group("output").add_argument
    add("--quiet", action="store_true", help="print warnings and the end only")


def add_plan(parser: argparse.ArgumentParser) -> Option:
    """Adds `--dry-run`; returns the function that adds more options to its group."""
    add = parser.add_argument_group("plan").add_argument
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    return add


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Returns the texts `a.b=c` of --set, then those of options that override one setting."""
    options = {
        "search.trials": getattr(arguments, "trials", None),
        "resources.max_concurrent": arguments.max_concurrent,
        "resources.gpus_per_trial": arguments.gpus_per_trial,
        "resources.cpus_per_trial": arguments.cpus_per_trial,
        "tracking.experiment": arguments.experiment,
    }
    given = [f"{path}={json.dumps(value)}" for path, value in options.items() if value is not None]
    return [*arguments.set, *given]


NAME_RULE = "at most 100 letters, digits, spaces and _ . -, the first a letter, digit or _"
"""What the name of a study may be."""


def is_name(text: str) -> bool:
    """Whether a study may have this name."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", text) is not None


def study_path(arguments: argparse.Namespace) -> Path:
    """Returns the study's folder.

    Raises:
        InputError: the name is not one of a folder below --storage.
    """
    name = Path(arguments.space).stem if arguments.name is None else arguments.name
    if not is_name(name):
        raise InputError(
            f"--name: must be the name of a folder, of {NAME_RULE}, but got {name[:120]!r}; give "
            "a path with --storage"
        )
    return Path(arguments.storage).absolute() / name
