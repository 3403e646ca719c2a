"""The parser of all commands: help with examples, and what was probably meant."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from study.errors import InputError
from study.paths import local_path

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


SCRIPT = "adalora-rs"
"""The console script: `adalora-rs run` is `python -m study.run`."""


def called_as(command: str) -> str:
    """Returns how this process called a command, e.g. `python -m study.run`."""
    script = Path(sys.argv[0]).stem == SCRIPT
    return f"{SCRIPT} {command}" if script else f"python -m study.{command}"


class Help(argparse.HelpFormatter):
    """Wraps a description of one line; keeps the lines of examples."""

    @override
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class HelpWithDefaults(Help, argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default to the help of each option."""


class Parser(argparse.ArgumentParser):
    """A parser whose error for an unknown argument names what was probably meant."""

    given: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        command: str,
        description: str,
        examples: Sequence[str],
        formatter: type[Help] = Help,
    ) -> "Parser":
        """Returns the parser of a command; `examples` are its arguments."""
        prog = called_as(command)
        lines = [f"  {prog} {arguments}" for arguments in examples]
        return cls(
            prog=prog,
            description=description,
            epilog="\n".join(["examples:", *lines]),
            formatter_class=formatter,
        )

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
        first = next((each for each in self._actions if not each.option_strings), None)
        if first is None:
            return ""
        if first.choices is not None:  # Of sub-commands: their options are in their own help.
            return f"; {self.prog} {self.given[0]} --help lists the options"
        return f"; write {first.metavar} without an option"


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
