"""Commands without the packages of the extra `study`."""

import subprocess
import sys
from pathlib import Path

import pytest

from study.__main__ import COMMANDS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("module", ["study", *(f"study.{command}" for command in COMMANDS)])
def test_a_command_without_the_extra_says_what_to_install(module: str) -> None:
    # -S: without the installed packages.
    command = [sys.executable, "-S", "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: installation: the commands need the packages of the extra")
    assert 'pip install "adalora-rs-study[study]"' in line
