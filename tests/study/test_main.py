"""`adalora-rs` and `python -m study`: the list of commands, and calling one."""

import re
import shlex
import sys
from pathlib import Path

import pytest

import study
from study.__main__ import COMMANDS, main
from study.cli.running import print_resume_command


def call(monkeypatch: pytest.MonkeyPatch, line: str, program: str = "/bin/adalora-rs") -> int:
    monkeypatch.setattr(sys, "argv", [program, *shlex.split(line)])
    return main()


@pytest.mark.parametrize("line", ["", "--help", "-h", "help"])
def test_every_command_is_listed_with_one_line(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, line) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(one) <= 90 for one in lines)
    for name, text in COMMANDS.items():
        assert f"  {name:<11}{text}" in lines


def test_the_version_is_that_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"adalora-rs {study.__version__}\n"


@pytest.mark.parametrize(
    ("line", "end"),
    [
        ("rnu", "but got 'rnu'; did you mean run?"),
        ("Report runs/x", "did you mean report?"),
        ("compare runs/x", "did you mean seeds?"),
        ("my_space.yaml", "write adalora-rs run --space my_space.yaml"),
        ("--space smoke", "write adalora-rs run --space …"),
        ("''", "but got ''; adalora-rs --help explains them"),
        ("run.py", "did you mean run?"),
        ("cli", "adalora-rs --help explains them"),
        ("x\x1b[2J\n" + "y" * 200, "adalora-rs --help explains them"),
    ],
)
def test_an_unknown_command_is_one_line_with_what_was_meant(
    line: str, end: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, shlex.quote(line) if "\x1b" in line else line) == 2
    [printed] = capsys.readouterr().err.splitlines()
    assert printed.isprintable()
    assert printed.startswith("error: COMMAND: must be one of run, ")
    assert printed.endswith(end)


def test_help_of_a_command_is_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, "help report")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: adalora-rs report ")


@pytest.mark.parametrize(
    ("program", "called"),
    [("/venv/bin/adalora-rs", "adalora-rs "), ("/venv/study/__main__.py", "python -m study.")],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_commands_help_are_accepted_as_it_was_called(
    program: str,
    called: str,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import argparse

    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, f"{command} --help", program)
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {called}{command} ")
    examples = text.partition("\nexamples:\n")[2].splitlines()
    assert examples
    read = argparse.ArgumentParser.parse_args

    class Read(BaseException):
        pass

    def only_read(self: argparse.ArgumentParser, *given: object) -> None:
        read(self, *given)
        raise Read

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", only_read)
    for example in examples:
        line = re.sub(" > .*", "", example)
        assert line.startswith(f"  {called}{command} ")
        arguments = line.removeprefix(f"  {called}{command} ")
        with pytest.raises(SystemExit if "--help" in arguments else Read):
            call(monkeypatch, f"{command} {arguments}", program)


def test_the_command_that_resumes_is_called_as_this_one_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from study.cli import parse_study

    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "spec.yaml").touch()
    given = ["--space", "smoke", "--storage", str(tmp_path)]
    for program, called in (("adalora-rs", "adalora-rs run"), ("run.py", "python -m study.run")):
        monkeypatch.setattr(sys, "argv", [f"/bin/{program}", *given])
        print_resume_command(parse_study(given), "run", "resume with")
        assert (
            capsys.readouterr().out.splitlines()[-1] == f"  {called} {shlex.join(given)} --resume"
        )
