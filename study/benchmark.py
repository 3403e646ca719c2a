"""Compare methods, backbones and tasks: `python -m study.benchmark --space paper_tables.yaml`.

The benchmark is a YAML file, or the name of one in search_spaces/benchmarks/. It is stored in one
folder, `<storage>/<name>/`. Exit status: 0 done, 1 some run crashed, 2 bad input, 130 interrupted
(resume with --resume).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import (
    COULD_NOT_FINISH,
    DONE,
    exit_with,
    overrides,
    parse_benchmark,
    report_interrupted,
    run_command,
    study_path,
)
from study.engine.console.display import Display
from study.spec.benchmark.loading import Benchmark, load_benchmark
from study.storage.folder import is_stored_spec

if TYPE_CHECKING:
    from study.storage.stored import StoredStudy


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return run_command(run, parse_benchmark(argv), resumable="benchmark")


def run(arguments: argparse.Namespace) -> int:
    """Checks the input, then prints the plan of the benchmark or runs it."""
    benchmark = load_benchmark(
        arguments.space, overrides(arguments), stored=is_stored_spec(arguments.space)
    )
    path, display = study_path(arguments), Display(arguments.quiet or arguments.dry_run)
    display.phase(f"{path.name}: checking the folder and services")
    # Heavy imports come after the YAML has been read, so that bad input is reported at once.
    stored = check(arguments, path, benchmark)
    if arguments.dry_run:
        from study.engine.benchmark.preview import preview

        preview(benchmark)
        return DONE
    return execute(arguments, stored, benchmark, display)


def check(arguments: argparse.Namespace, path: Path, benchmark: Benchmark) -> "StoredStudy":
    """Returns what is stored in the folder; checks it, the tracking server and the cluster."""
    from study.engine.benchmark.runs import changes_of_benchmark
    from study.engine.preparation import check_services

    return check_services(
        path,
        changes_of_benchmark(benchmark),
        arguments.resume,
        arguments.tracking_uri,
        arguments.address,
        max(cell.spec.resources.cpus_per_trial or 1 for cell in benchmark.cells),
        arguments.no_token,
    )


def execute(
    arguments: argparse.Namespace, stored: "StoredStudy", benchmark: Benchmark, display: Display
) -> int:
    """Runs the benchmark, writes its tables and returns the exit status."""
    display.phase("importing PyTorch, transformers and Ray")
    from study.analysis.benchmark.closing import closing_lines
    from study.analysis.benchmark.writing import write_tables
    from study.engine.benchmark.session import run_benchmark
    from study.engine.driver import SessionStatus

    ended = run_benchmark(stored, benchmark, arguments.address, arguments.tracking_uri, display)
    files = write_tables(stored.folder.path)
    print(*closing_lines(stored.folder.path, files, display.end.width), sep="\n")  # noqa: T201
    if ended is SessionStatus.INTERRUPTED:
        return report_interrupted(arguments, "benchmark")
    return DONE if ended is SessionStatus.DONE else COULD_NOT_FINISH


if __name__ == "__main__":
    exit_with(main)
