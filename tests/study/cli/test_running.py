"""The end of a command's process: its status, and output that nobody reads."""

import os
import subprocess
import sys

import pytest

from study.cli import exit_with


def test_the_process_ends_with_the_status_of_its_command() -> None:
    for status in (0, 1, 2, 130):
        with pytest.raises(SystemExit) as ended:
            exit_with(lambda status=status: status)
        assert ended.value.code == status


def test_a_broken_pipe_that_is_not_the_output_is_a_bug() -> None:
    def command() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        exit_with(command)


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
@pytest.mark.parametrize("size", [1, 10**6])
def test_a_command_into_a_closed_pipe_ends_without_a_traceback(closed: str, size: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = (
        "import sys\n"
        "from study.cli import exit_with\n"
        f"exit_with(lambda: print('x' * {size}, file=sys.{closed}, flush=True) or 0)\n"
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {closed: writer}
    process = subprocess.Popen([sys.executable, "-c", script], **streams)
    os.close(writer)
    printed = process.communicate()
    assert process.returncode == 1
    assert not any(printed)
