"""Show the studies of a folder in a browser: `python -m study.serve STORAGE`.

STORAGE is the folder of all studies (`runs`). The list and the pages follow the studies while they
run. Only this machine can connect; nothing is written. From another machine use a tunnel:
`ssh -L 8765:127.0.0.1:8765 HOST`. Exit status: 0 ended by Ctrl-C, 2 bad input.
"""

import argparse
from collections.abc import Sequence

from study.cli import DONE, Parser, exit_with, path_option, run_command
from study.errors import InputError, instead_of

PORT = 8765
MOST = 65535


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser.of(
        "serve",
        "Show the studies of a folder in a browser, on this machine only; they are followed while "
        "they run.",
        ["runs", "runs --port 9000"],
    )
    add = parser.add_argument
    add("storage", metavar="STORAGE", type=path_option, help="folder of all studies, such as runs")
    add("--port", type=int, default=PORT, metavar="N", help=f"port to listen at ({PORT})")
    return run_command(run, parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Serves until Ctrl-C."""
    storage = arguments.storage.absolute()
    if not storage.is_dir() or (storage / "spec.yaml").exists():
        found = "the folder of one study" if storage.is_dir() else instead_of(storage / "x")
        raise InputError(
            f"{storage}: must be the folder that the folders of studies are in, but got {found}; "
            "give the --storage of study.run, such as runs"
        )
    if not 0 <= arguments.port <= MOST:
        raise InputError(
            f"--port: must be from 0 (any free one) to {MOST}, but got {arguments.port}"
        )
    # Imported here so that --help needs no more than this.
    from study.serve.library import Library
    from study.serve.links import Links
    from study.serve.server import Server, Site

    try:
        server = Server(arguments.port, Site(Library(storage), Links()))
    except OSError as error:
        raise InputError(
            f"--port: must be one that is free, but got {arguments.port}: {error.strerror}; "
            "choose another"
        ) from None
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    print(f"{address}  shows the studies in {storage}; Ctrl-C ends it", flush=True)  # noqa: T201
    try:
        with server:
            server.serve_forever()
    except KeyboardInterrupt:
        print()  # noqa: T201
    return DONE


if __name__ == "__main__":
    exit_with(main)
