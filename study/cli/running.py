"""Exit statuses, expected errors as one line each, closed pipes, how to resume."""

import argparse
import errno
import os
import select
import shlex
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from study.cli.options import study_path
from study.cli.parser import called_as
from study.errors import InputError, one_line, without_user

DONE, COULD_NOT_FINISH, BAD_INPUT, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 130
STORAGE_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG),
    *(errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOLCK),
)
"""Disk full, quota exceeded, read-only file system, file too large; no permission (two), I/O
error, stale handle or no locks on a network file system."""


def exit_with(main: Callable[[], int]) -> NoReturn:
    """Ends the process with the exit status of a command.

    If the reader of its output is gone, as in `… | head -1`, the command ends without a
    traceback, and with status 1.
    """
    try:
        try:
            status: int | str | None = main()
        except SystemExit as end:  # Of argparse, or of rich, which has met a closed pipe.
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        status = COULD_NOT_FINISH
    sys.exit(status)


def _reader_is_gone() -> bool:
    """Whether standard output or error is a closed pipe; then what is left to print is dropped."""
    closed = [stream for stream in (sys.stdout, sys.stderr) if _is_closed(stream.fileno())]
    for stream in closed:  # Python flushes them once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(closed)


def _is_closed(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def run_command(
    command: Callable[[argparse.Namespace], int],
    arguments: argparse.Namespace,
    resumable: str | None = None,
) -> int:
    """Calls a command and returns its exit status; expected errors become one line each.

    `resumable` is the command, such as `run`, if a study can be resumed with it;
    the command line for that is then printed after everything but bad input.
    """
    # Slurm, Kubernetes and `kill` send SIGTERM to end a command; it ends as after Ctrl-C.
    before = signal.signal(signal.SIGTERM, _interrupt)
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


def _interrupt(*_: object) -> None:
    """Ends the command as Ctrl-C does, also where a script in the background ignores SIGINT.

    Raises:
        KeyboardInterrupt: SIGINT is ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


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
        line = f"{called_as(resumable)} {shlex.join(options)}"
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
