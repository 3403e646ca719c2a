"""Show what a study does: `python -m study.status DIR`.

DIR is the folder of a study, a benchmark or a comparison, `<storage>/<name>/`. Only its journals
are read; nothing is locked or written, so that it can be used while the study runs, also on
another node. Exit status: 0 shown, 2 bad input, 130 interrupted.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import DONE, Parser, exit_with, path_option, run_command

if TYPE_CHECKING:
    from study.storage.live.snapshot import Snapshot

EVERY, SHARE = 2.0, 20.0
"""Seconds between two looks with --watch, and at least how many times those that a look takes."""
CLEAR, HIDE, SHOW = "\x1b[H\x1b[2J", "\x1b[?25l", "\x1b[?25h"
"""Control sequences of terminals: an empty screen, no cursor, the cursor again."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser.of(
        "status",
        "Show what a study does: trials, best, rungs, running trials, time left.",
        ["runs/adalora_rs", "runs/adalora_rs --watch", "runs/adalora_rs --json"],
    )
    add = parser.add_argument
    add("folder", metavar="DIR", type=path_option, help="a study, benchmark or comparison folder")
    add("--watch", action="store_true", help="show it again every 2 s, until the study ends")
    add("--json", action="store_true", help="one JSON object, for programs")
    return run_command(run, parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Shows the state, once or until the study ends."""
    # Imported here so that --help needs no more than this.
    from study.storage.live.reading import read_snapshot

    folder = arguments.folder.absolute()
    in_place = arguments.watch and sys.stdout.isatty() and not arguments.json
    try:
        while True:
            started = time.monotonic()
            snapshot = read_snapshot(folder, time.time())
            text = _json(folder, snapshot, arguments) if arguments.json else _text(snapshot)
            print(f"{CLEAR}{HIDE}{text}" if in_place else text, flush=True)  # noqa: T201
            if not arguments.watch or snapshot.is_over:
                return DONE
            time.sleep(max(EVERY, SHARE * (time.monotonic() - started)))
    finally:
        if in_place:
            print(SHOW, end="", flush=True)  # noqa: T201


def _json(folder: Path, snapshot: "Snapshot", arguments: argparse.Namespace) -> str:
    """Returns one object; on one line with --watch, so that a program can read line by line."""
    fields = {"folder": str(folder), **snapshot.as_json()}
    return json.dumps(fields, indent=None if arguments.watch else 2, allow_nan=False)


def _text(snapshot: "Snapshot") -> str:
    import shutil

    from study.engine.console.view import plain, view

    terminal = shutil.get_terminal_size()
    height = terminal.lines - 1 if sys.stdout.isatty() else None
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    return plain(view(snapshot, terminal.columns, height, unicode))


if __name__ == "__main__":
    exit_with(main)
