"""The options of `study.run` and `study.benchmark`, and those that other commands share."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from study.cli.parser import Parser, path_text
from study.errors import InputError


def parse_study(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line of `study.run`."""
    parser = Parser(
        prog="python -m study.run", description="Run a study of AdaLoRA+RS hyperparameters."
    )
    add = parser.add_argument
    add(
        "--space",
        type=path_text,
        metavar="YAML|NAME",
        help="the study: a YAML file or a name in search_spaces/",
    )
    add("--name", help="the study's name (default: the YAML's)")
    add(
        "--storage",
        type=path_text,
        default="runs",
        metavar="DIR",
        help="folder of all studies (runs)",
    )
    add("--set", action="append", default=[], metavar="a.b=c", help="override a setting")
    add("--trials", type=int, metavar="N", help="search.trials")
    add_services(parser)
    add("--resume", action="store_true", help="resume an interrupted study")
    add("--extend", type=int, metavar="N", help="resume with N more trials, also when finished")
    add(
        "--warm-start",
        type=path_text,
        metavar="DIR",
        help="start the sampler with an earlier study's results",
    )
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    add("--print-schema", action="store_true", help="print the JSON schema of a space and exit")
    arguments = parser.parse_args(argv)
    if not arguments.space and not arguments.print_schema:
        parser.error("--space is required: a YAML file, or a name such as adalora_rs")
    if arguments.extend is not None and arguments.trials is not None:
        parser.error("--extend adds to the trials of a study, so --trials must be left out")
    arguments.resume = arguments.resume or arguments.extend is not None
    return arguments


def parse_benchmark(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line of `study.benchmark`."""
    parser = Parser(
        prog="python -m study.benchmark",
        description="Run backbones x tasks x methods x seeds, and make the paper's tables.",
    )
    add = parser.add_argument
    add(
        "--space",
        type=path_text,
        metavar="YAML|NAME",
        required=True,
        help="a YAML file or a shipped benchmark",
    )
    add("--name", help="the benchmark's name (default: the YAML's)")
    add(
        "--storage",
        type=path_text,
        default="runs",
        metavar="DIR",
        help="folder of all benchmarks (runs)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="a.b=c",
        help="override a setting of all runs, or a key of the benchmark",
    )
    add_services(parser)
    add("--resume", action="store_true", help="resume, also with more seeds, tasks or methods")
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    return parser.parse_args(argv)


def add_services(parser: argparse.ArgumentParser) -> None:
    """Adds the options for resources, the Ray cluster and the tracking server."""
    add = parser.add_argument
    add("--max-concurrent", type=int, metavar="N", help="resources.max_concurrent")
    add("--gpus-per-trial", type=float, metavar="F", help="resources.gpus_per_trial")
    add("--cpus-per-trial", type=int, metavar="N", help="resources.cpus_per_trial")
    add("--address", metavar="auto|HOST:PORT", help="a Ray cluster (default: this machine)")
    add("--no-token", action="store_true", help="accept a Ray cluster that requires no token")
    add("--tracking-uri", metavar="URI", help="an MLflow server (default: sqlite in the folder)")


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Returns the texts `a.b=c` of --set, then those of options that override one setting."""
    options = {
        "search.trials": getattr(arguments, "trials", None),
        "resources.max_concurrent": arguments.max_concurrent,
        "resources.gpus_per_trial": arguments.gpus_per_trial,
        "resources.cpus_per_trial": arguments.cpus_per_trial,
    }
    given = [f"{path}={value}" for path, value in options.items() if value is not None]
    return [*arguments.set, *given]


def study_path(arguments: argparse.Namespace) -> Path:
    """Returns the study's folder.

    Raises:
        InputError: the name is not one of a folder below --storage.
    """
    name = Path(arguments.space).stem if arguments.name is None else arguments.name
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        raise InputError(
            "--name: must be the name of a folder, of at most 100 letters, digits, spaces and "
            f"_ . -, the first a letter, digit or _, but got {name[:120]!r}; give a path with "
            "--storage"
        )
    return Path(arguments.storage).absolute() / name
