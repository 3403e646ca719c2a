"""Make the report of a study, a benchmark or a comparison of seeds: `python -m study.report DIR`.

DIR is its folder, `<storage>/<name>/`; report.html is written into it, the numbers of its charts
into figures/, and the tables of a benchmark or a comparison into tables/. The study may be
unfinished or still running. Of several studies a page that shows them side by side is written as
well: studies.html in their common folder. Several comparisons are analysed together. Exit status:
0 done, 1 the storage failed, 2 bad input, 130 interrupted.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import DONE, Parser, exit_with, path_option, run_command

if TYPE_CHECKING:
    from study.storage.stored import StoredStudy

SEVERAL = "studies.html"
"""The page of several studies."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser.of(
        "report",
        "Write report.html of a study; and tables/ of a benchmark or a comparison.",
        ["runs/adalora_rs", "runs/adalora_rs runs/lora"],
    )
    help_text = "the folder of a study, a benchmark or a comparison; of several, a page of all"
    parser.add_argument("folders", metavar="DIR", nargs="+", type=path_option, help=help_text)
    return run_command(run, parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Writes the report and prints the names of the files."""
    folders = list(dict.fromkeys(folder.absolute() for folder in arguments.folders))
    print(*_write(folders), sep="\n")  # noqa: T201
    return DONE


def _write(folders: Sequence[Path]) -> list[Path]:
    """Writes the reports, and the tables that belong to folders of their kind; returns the files.

    Raises:
        InputError: a folder cannot be reported on.
    """
    # Imported here so that --help needs no matplotlib.
    from study.storage.folder import StudyFolder
    from study.storage.stored import StoredStudy

    stored = [StoredStudy.read(StudyFolder(folder)) for folder in folders]
    for one in stored:
        _rebuild(one)
    if all(one.folder.labels.is_file() for one in stored):
        from study.analysis.comparison import analyse, write_analysis

        return write_analysis(analyse(folders))
    files = [file for one in stored for file in _write_one(one)]
    studies = [one for one in stored if not one.folder.results.is_file()]
    return files + _write_several(studies) if len(studies) > 1 else files


def _rebuild(stored: "StoredStudy") -> None:
    """Brings the results of a benchmark or a comparison up to date with its journal."""
    from study.spec.benchmark.loading import is_benchmark
    from study.spec.comparison.schema import is_comparison

    folder = stored.folder
    if folder.journal.is_file() and is_benchmark(folder.spec):
        from study.engine.benchmark.results import rebuild_results

        rebuild_results(stored)
    if folder.journal.is_file() and is_comparison(folder.spec):
        from study.engine.comparison.results import rebuild_results as rebuild_comparison

        rebuild_comparison(stored)


def _write_one(stored: "StoredStudy") -> list[Path]:
    if stored.folder.labels.is_file():
        from study.analysis.comparison import analyse, write_analysis

        return write_analysis(analyse([stored.folder.path]))
    if stored.folder.results.is_file():
        from study.analysis.benchmark.writing import write_tables

        return write_tables(stored.folder.path)
    from study.analysis.study.page import write_report
    from study.engine.tracking.locations import repair_locations
    from study.storage.opening import is_locked

    file = stored.folder.mlflow
    if file.is_file() and not is_locked(stored.folder):  # The folder may have been moved.
        repair_locations(file)
    return [write_report(stored)]


def _write_several(stored: Sequence["StoredStudy"]) -> list[Path]:
    """Writes the page of several studies into the folder that they have in common."""
    from study.analysis.several.page import write_several
    from study.analysis.study.reading import read_study

    together = Path(os.path.commonpath([one.folder.path.parent for one in stored]))
    return [write_several([read_study(one) for one in stored], together / SEVERAL)]


if __name__ == "__main__":
    exit_with(main)
