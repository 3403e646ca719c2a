"""Make the report of a study, a benchmark or a comparison of seeds: `python -m study.report DIR`.

DIR is its folder, `<storage>/<name>/`; report.html is written into it, and the tables of a
benchmark or a comparison. It may be unfinished, or still running. Exit status: 0 done, 1 the
storage failed, 2 bad input, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from study.cli import answer_reading


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m study.report",
        description="Write report.html of a study; and tables/ of a benchmark or a comparison.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="a study's folder, or the like")
    arguments = parser.parse_args(argv)
    return answer_reading(lambda: print(*_write(arguments.folder.absolute()), sep="\n"))  # noqa: T201


def _write(folder: Path) -> list[Path]:
    """Writes what the folder is for: the spec of a benchmark has tasks, a study's one task."""
    # Imported here so that --help needs no matplotlib.
    from study.spec.benchmark.loading import is_benchmark
    from study.spec.comparison.schema import is_comparison
    from study.storage.folder import StudyFolder
    from study.storage.journal import check_version

    found = StudyFolder(folder)
    check_version(found.journal)
    if found.journal.is_file() and is_benchmark(found.spec):
        from study.engine.benchmark.results import rebuild_results

        rebuild_results(found)
    if found.journal.is_file() and is_comparison(found.spec):
        from study.engine.comparison.results import rebuild_results as rebuild_comparison

        rebuild_comparison(found)
    if found.labels.is_file():
        from study.analysis.comparison import analyse, write_analysis

        return write_analysis(analyse([folder]))
    if found.results.is_file():
        from study.analysis.benchmark import write_tables

        return write_tables(folder)
    from study.analysis.study.page import write_report

    return [write_report(found)]


if __name__ == "__main__":
    sys.exit(main())
