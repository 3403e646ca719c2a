"""What the commands share: exit statuses, common options, the folder, how to resume."""

import argparse
import errno
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from study.errors import InputError

DONE, COULD_NOT_FINISH, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
STORAGE_FAULTS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG),
    *(errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOLCK),
)
"""A full disk, a used-up quota, a file system that has become read-only, a file too large; no
permission (two), a broken disk, a file server that has lost the folder or gives no locks."""


def answer(
    command: str, run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace
) -> int:
    """Runs a command; bad input becomes one line, others' doing the way to go on."""
    try:
        return run(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
    except KeyboardInterrupt:
        return say_interrupted(arguments, command)
    except MemoryError as error:
        print(f"error: out of memory: {error}", file=sys.stderr)  # noqa: T201
        say_how_to_go_on(arguments, command, "where there is more memory, go on with")
        return COULD_NOT_FINISH
    except OSError as error:
        if error.errno not in STORAGE_FAULTS:
            raise
        where = error.filename or "the study folder"
        print(f"error: {where} cannot be used: {error.strerror}", file=sys.stderr)  # noqa: T201
        say_how_to_go_on(arguments, command, "make room, or mend the storage; then go on with")
        return COULD_NOT_FINISH


def study_path(arguments: argparse.Namespace) -> Path:
    """Returns the study's folder.

    Raises:
        InputError: the name is not that of a folder in the storage.
    """
    name = Path(arguments.space).stem if arguments.name is None else arguments.name
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        raise InputError(
            f"--name {name[:120]!r}: it must be the name of a folder, of up to 100 letters, "
            "digits, spaces and _ . -, the first a letter, digit or _; give a path as --storage"
        )
    return Path(arguments.storage).absolute() / name


def say_interrupted(arguments: argparse.Namespace, command: str = "study.run") -> int:
    """Says how to go on; nothing to go on with, nothing said of it."""
    print("\ninterrupted", file=sys.stderr)  # noqa: T201
    say_how_to_go_on(arguments, command, "go on with")
    return INTERRUPTED


def say_how_to_go_on(arguments: argparse.Namespace, command: str, how: str) -> None:
    """Prints the command that resumes a study, if there is one to resume."""
    if (study_path(arguments) / "spec.yaml").exists():
        again = shlex.join(["python", "-m", command, *_again(arguments)])
        print(f"nothing that was reported is lost; {how}:\n  {again}")  # noqa: T201


def _again(arguments: argparse.Namespace) -> list[str]:
    """The options to go on with: --extend, said twice, would add its trials twice."""
    given = sys.argv[1:]
    place = next((n for n, word in enumerate(given) if _is_extend(word)), None)
    if place is not None and arguments.trials is not None:
        width = 1 if "=" in given[place] else 2
        given[place : place + width] = ["--trials", str(arguments.trials), "--resume"]
    elif not arguments.resume:
        given = [*given, "--resume"]
    return given


def _is_extend(word: str) -> bool:
    return word.startswith("--e") and "--extend".startswith(word.partition("=")[0])


def parse_study(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line of `study.run`."""
    parser = argparse.ArgumentParser(
        prog="python -m study.run", description="Run a study of AdaLoRA+RS hyperparameters."
    )
    add = parser.add_argument
    add("--space", metavar="YAML|NAME", help="the study: a YAML file or a name in search_spaces/")
    add("--name", help="the study's name; default: the YAML's")
    add("--storage", default="runs", metavar="DIR", help="where study folders live (runs)")
    add("--set", action="append", default=[], metavar="a.b=c", help="override a setting")
    add("--trials", type=int, metavar="N", help="search.trials")
    add_services(parser)
    add("--resume", action="store_true", help="go on with an interrupted study")
    add("--extend", type=int, metavar="N", help="go on with N more trials, also when finished")
    add(
        "--warm-start", metavar="DIR", help="let the sampler begin with an earlier study's results"
    )
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    add("--print-schema", action="store_true", help="print the JSON schema of a space; exit")
    arguments = parser.parse_args(argv)
    if not arguments.space and not arguments.print_schema:
        parser.error("--space is required: a YAML file, or a name such as adalora_rs")
    if arguments.extend is not None and arguments.trials is not None:
        parser.error("--extend adds to the trials that a study has, so --trials must be left out")
    arguments.resume = arguments.resume or arguments.extend is not None
    return arguments


def parse_benchmark(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line of `study.benchmark`."""
    parser = argparse.ArgumentParser(
        prog="python -m study.benchmark",
        description="Run backbones x tasks x methods x seeds, and make the paper's tables of it.",
    )
    add = parser.add_argument
    add("--space", metavar="YAML|NAME", required=True, help="a YAML file or a shipped benchmark")
    add("--name", help="the benchmark's name; default: the YAML's")
    add("--storage", default="runs", metavar="DIR", help="where its folder lives (runs)")
    add(
        "--set", action="append", default=[], metavar="a.b=c", help="a setting of all runs, or key"
    )
    add_services(parser)
    add("--resume", action="store_true", help="go on, also with more seeds, tasks or methods")
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    return parser.parse_args(argv)


def add_services(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say where runs are run and tracked."""
    add = parser.add_argument
    add("--max-concurrent", type=int, metavar="N", help="resources.max_concurrent")
    add("--gpus-per-trial", type=float, metavar="F", help="resources.gpus_per_trial")
    add("--cpus-per-trial", type=int, metavar="N", help="resources.cpus_per_trial")
    add("--address", metavar="auto|HOST:PORT", help="a running Ray cluster; default: this machine")
    add("--tracking-uri", metavar="URI", help="an MLflow server; default: sqlite in the folder")


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Returns --set and the options that stand for a setting, the latter last."""
    options = {
        "search.trials": getattr(arguments, "trials", None),
        "resources.max_concurrent": arguments.max_concurrent,
        "resources.gpus_per_trial": arguments.gpus_per_trial,
        "resources.cpus_per_trial": arguments.cpus_per_trial,
    }
    given = [f"{path}={value}" for path, value in options.items() if value is not None]
    return [*arguments.set, *given]


def answer_reading(read: Callable[[], None]) -> int:
    """Runs what only reads and reports, and returns its exit status: nothing is gone on with."""
    try:
        read()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except OSError as error:
        if error.errno not in STORAGE_FAULTS:
            raise
        where = error.filename or "the folder"
        print(f"error: {where} cannot be used: {error.strerror}", file=sys.stderr)  # noqa: T201
        return COULD_NOT_FINISH
    return DONE
