"""What the commands share: exit statuses, error handling, common options, how to resume."""

import argparse
import difflib
import errno
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from study.errors import InputError, one_line, without_user
from study.paths import local_path

DONE, COULD_NOT_FINISH, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
STORAGE_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG),
    *(errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOLCK),
)
"""Disk full, quota exceeded, read-only file system, file too large; no permission (two), I/O
error, stale handle or no locks on a network file system."""


def run_command(
    command: Callable[[argparse.Namespace], int],
    arguments: argparse.Namespace,
    resumable: str | None = None,
) -> int:
    """Calls a command and returns its exit status; expected errors become one line each.

    `resumable` is the command's module, such as `study.run`, if a study can be resumed with it;
    the command line for that is then printed after everything but bad input.
    """
    # Slurm, Kubernetes and `kill` send SIGTERM to end a command; it ends as after Ctrl-C.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return command(arguments)
    except InputError as error:
        _print_error(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        return report_interrupted(arguments, resumable)
    except MemoryError as error:
        _print_error(f"out of memory: {error}")
        print_resume_command(arguments, resumable, "where there is more memory, resume with")
        return COULD_NOT_FINISH
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        _print_error(f"{error.filename or 'the folder'} cannot be used: {error.strerror}")
        advice = "free space or repair the storage, then resume with"
        print_resume_command(arguments, resumable, advice)
        return COULD_NOT_FINISH
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_error(message: str) -> None:
    print(f"error: {one_line(message)}", file=sys.stderr)  # noqa: T201


def report_interrupted(arguments: argparse.Namespace, resumable: str | None) -> int:
    """Prints that a command was interrupted and how to resume; returns the exit status."""
    print("\ninterrupted", file=sys.stderr)  # noqa: T201
    print_resume_command(arguments, resumable, "resume with")
    return INTERRUPTED


def print_resume_command(
    arguments: argparse.Namespace, resumable: str | None, advice: str
) -> None:
    """Prints the command line that resumes a study, if there is a study to resume."""
    if resumable is not None and (study_path(arguments) / "spec.yaml").exists():
        options = map(without_user, _resume_options(arguments))
        line = shlex.join(["python", "-m", resumable, *options])
        print(f"nothing that was reported is lost; {advice}:\n  {line}")  # noqa: T201


def _resume_options(arguments: argparse.Namespace) -> list[str]:
    """Returns the options to resume with; --extend, given twice, would add its trials twice."""
    given = sys.argv[1:]
    place = next((n for n, word in enumerate(given) if _is_extend(word)), None)
    if place is not None and arguments.trials is not None:
        width = 1 if "=" in given[place] else 2
        given[place : place + width] = ["--trials", str(arguments.trials), "--resume"]
    elif not arguments.resume:
        given = [*given, "--resume"]
    return given


def _is_extend(word: str) -> bool:
    """Whether a word of the command line is --extend, which argparse lets users abbreviate."""
    return word.startswith("--e") and "--extend".startswith(word.partition("=")[0])


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


_MEANT = {
    "--space": ("--config", "--yaml", "--file", "--spec"),
    "--storage": ("--output", "--out", "--output-dir", "--out-dir", "--dir", "--log-dir"),
    "--name": ("--study-name", "--experiment-name", "--run-name"),
    "--trials": ("--n-trials", "--num-trials", "--num-samples"),
    "--max-concurrent": ("--n-jobs", "--jobs", "--workers", "--num-workers"),
    "--resume": ("--continue", "--restart"),
    "--dry-run": ("--plan", "--test", "--check"),
    "--tracking-uri": ("--mlflow", "--mlflow-uri"),
    "--gpus-per-trial": ("--num-gpus", "--n-gpus", "--gpu"),
    "--cpus-per-trial": ("--num-cpus", "--n-cpus", "--cpu"),
    "--study": ("--dir", "--folder"),
}
"""Options as other tools name them."""


class Parser(argparse.ArgumentParser):
    """A parser whose error for an unknown argument names what was probably meant."""

    given: Sequence[str] = ()

    @override
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses the arguments, by default those of the process; returns the unknown ones too."""
        self.given = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    @override
    def error(self, message: str) -> NoReturn:
        """Prints the usage and the message, and exits with status 2."""
        start = "unrecognized arguments: "
        first = message.removeprefix(start).split(" ")[0]
        super().error(message + (self._meant(first) if message.startswith(start) else ""))

    def _meant(self, word: str) -> str:
        known = self._option_string_actions
        before = [*self.given[: self.given.index(word)]] if word in self.given else []
        if not word.startswith("-"):
            if before[-2:-1] == ["--set"]:
                return f"; write --set {before[-1]}={word}"
            if "=" in word and "--set" in known:
                return f"; write --set {word}"
            main = next((option for option in ("--space", "--study") if option in known), None)
            return f"; write {main} {word}" if main and main not in self.given else ""
        option, equals, value = word.partition("=")
        if "." in option and "--set" in known:
            return f"; write --set {option.lstrip('-')}={value if equals else '…'}"
        names = [name for name, others in _MEANT.items() if option in others and name in known]
        near = names or difflib.get_close_matches(option, known, n=1, cutoff=0.7)
        if near:
            return f"; did you mean {near[0]}?"
        if "--set" in known:
            return "; a setting of a space is given as --set section.key=…"
        folder = next((each.metavar for each in self._actions if not each.option_strings), None)
        return f"; write {folder} without an option" if folder else ""


def path_text(text: str) -> str:
    """An argparse type: a path as text, with `~` expanded.

    Raises:
        argparse.ArgumentTypeError: it is no path of this machine.
    """
    try:
        return local_path(text, "path")
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("path: ")) from None


def path_option(text: str) -> Path:
    """An argparse type: `path_text` as a Path."""
    return Path(path_text(text))


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
