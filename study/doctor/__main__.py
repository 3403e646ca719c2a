"""Examine the folder of a study, a benchmark or a comparison: `python -m study.doctor DIR`.

DIR is its folder, `<storage>/<name>/`. Checks whether its files agree with each other, and
prints what is wrong and how to fix it. Writes nothing; a driver may be at work. Exit status: 0
sound, 1 something is wrong or unfinished, 2 not a study folder, 130 interrupted.
"""

import argparse
from collections.abc import Sequence

from study.cli import Parser, exit_with, path_option, run_command

SOUND, FINDINGS = 0, 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser.of(
        "doctor",
        "Check a study folder; print what is wrong and how to fix it.",
        ["runs/adalora_rs", "runs/adalora_rs --tracking-uri http://host:5000"],
    )
    add = parser.add_argument
    add("folder", metavar="DIR", type=path_option, help="a study, benchmark or comparison folder")
    add("--tracking-uri", metavar="URI", help="its MLflow server; default: what the study used")
    return run_command(run, parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Prints the findings."""
    # Imported here so that --help needs no more than this.
    from study.doctor.examination import examine_closely, report

    examination = examine_closely(arguments.folder.absolute(), arguments.tracking_uri)
    print(*report(examination), sep="\n")  # noqa: T201
    return FINDINGS if examination.findings else SOUND


if __name__ == "__main__":
    exit_with(main)
