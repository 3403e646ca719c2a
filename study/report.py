"""Make the report of a study: `python -m study.report DIR`.

DIR is a study folder, `<storage>/<name>/`; report.html is written into it. The study may be
unfinished, or still running. Exit status: 0 done, 2 bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from study.errors import InputError

DONE, BAD_INPUT = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m study.report", description="Write report.html of a study folder."
    )
    parser.add_argument("study", metavar="DIR", type=Path, help="a study folder")
    arguments = parser.parse_args(argv)
    # Imported here so that --help needs no matplotlib.
    from study.analysis.page import write_report
    from study.engine.folder import StudyFolder

    try:
        report = write_report(StudyFolder(arguments.study.absolute()))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
    print(report)  # noqa: T201
    return DONE


if __name__ == "__main__":
    sys.exit(main())
