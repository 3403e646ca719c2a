"""Exports the winner of a study: `python -m study.export DIR --to FORMAT --out FOLDER`.

DIR is a study folder, `<storage>/<name>/`; the formats are in formats.py. The new folder appears
when all its files are written. Exit status: 0 done, 1 a storage error, 2 bad input, 130
interrupted.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import DONE, Parser, exit_with, path_option, run_command
from study.errors import InputError
from study.export.formats import FORMATS, format_of

if TYPE_CHECKING:
    from study.engine.stored_winner import StoredWinner
    from study.export.formats import Written


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return run_command(run, _parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Exports the winner; prints remarks and the folder."""
    from study.engine.stored_winner import StoredWinner

    out = options.out.absolute()
    winner = StoredWinner.read(options.study.absolute())
    format_of(options.to).check(winner, options.to)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            f"--out {out}: must be an empty or a new folder, but got a used one; choose another"
        )
    written = _write(winner, options.to, out)
    print(*written.remarks, options.out, sep="\n")  # noqa: T201
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser.of(
        "export",
        "Export the winner of a study for PEFT, or as weights for transformers.",
        [
            "runs/adalora_rs --to merged --out my_model",
            "runs/adalora_rs --to peft-lora --out my_adapter",
        ],
    )
    parser.add_argument("study", metavar="DIR", type=path_option, help="a study folder")
    formats = "; ".join(f"{name}: {text}" for name, (_, text) in FORMATS.items())
    parser.add_argument("--to", choices=FORMATS, required=True, help=formats)
    parser.add_argument("--out", type=path_option, required=True, help="an empty or a new folder")
    return parser


def _write(winner: "StoredWinner", to: str, out: Path) -> "Written":
    """Writes into a folder beside `out` that then takes its name."""
    from study.export.card import write_card

    partial = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # Of an export that was killed.
        partial.mkdir(parents=True)
        written = format_of(to).write(winner, to, partial)
        if written.code:
            write_card(winner, written, partial)
        partial.replace(out)
    except OSError as error:
        raise InputError(
            f"--out {out}: must be writable, but got {error.strerror}; choose another folder"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


if __name__ == "__main__":
    exit_with(main)
