"""Make the report of a study, a benchmark or a comparison of seeds: `python -m study.report DIR`.

DIR is its folder, `<storage>/<name>/`; report.html is written into it, and the tables of a
benchmark or a comparison. The study may be unfinished or still running. Exit status: 0 done, 1 the
storage failed, 2 bad input, 130 interrupted.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from study.cli import DONE, Parser, exit_with, path_option, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser.of(
        "report",
        "Write report.html of a study; and tables/ of a benchmark or a comparison.",
        ["runs/adalora_rs"],
    )
    help_text = "the folder of a study, a benchmark or a comparison"
    parser.add_argument("folder", metavar="DIR", type=path_option, help=help_text)
    return run_command(run, parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Writes the report and prints the names of the files."""
    print(*_write(arguments.folder.absolute()), sep="\n")  # noqa: T201
    return DONE


def _write(folder: Path) -> list[Path]:
    """Writes the report, and the tables that belong to this kind of folder; returns the files."""
    # Imported here so that --help needs no matplotlib.
    from study.spec.benchmark.loading import is_benchmark
    from study.spec.comparison.schema import is_comparison
    from study.storage.folder import StudyFolder
    from study.storage.stored import StoredStudy

    study = StudyFolder(folder)
    stored = StoredStudy.read(study)
    if study.journal.is_file() and is_benchmark(study.spec):
        from study.engine.benchmark.results import rebuild_results

        rebuild_results(stored)
    if study.journal.is_file() and is_comparison(study.spec):
        from study.engine.comparison.results import rebuild_results as rebuild_comparison

        rebuild_comparison(stored)
    if study.labels.is_file():
        from study.analysis.comparison import analyse, write_analysis

        return write_analysis(analyse([folder]))
    if study.results.is_file():
        from study.analysis.benchmark import write_tables

        return write_tables(folder)
    from study.analysis.study.page import write_report

    return [write_report(stored)]


if __name__ == "__main__":
    exit_with(main)
