"""Compare methods, backbones and tasks: `python -m study.benchmark --space paper_tables.yaml`.

The benchmark is a YAML file, or the name of one in search_spaces/benchmarks/. It lives in one
folder, `<storage>/<name>/`. Exit status: 0 done, 1 some run crashed, 2 bad input, 130 interrupted
(go on with --resume).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from study.run import COULD_NOT_FINISH, DONE, answer, say_interrupted, study_path
from study.spec.benchmark_loading import Benchmark, load_benchmark


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return answer("study.benchmark", run, parse(argv))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m study.benchmark",
        description="Run backbones x tasks x methods x seeds, and make the paper's tables of it.",
    )
    add = parser.add_argument
    add("--space", metavar="YAML|NAME", required=True, help="a YAML file or a shipped benchmark")
    add("--name", help="the benchmark's name; default: the YAML's")
    add("--storage", default="runs", metavar="DIR", help="where its folder lives (runs)")
    add(
        "--set", action="append", default=[], metavar="a.b=c", help="a setting of all runs, or key"
    )
    add_services(parser)
    add("--resume", action="store_true", help="go on, also with more seeds, tasks or methods")
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    return parser.parse_args(argv)


def add_services(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say where runs are run and tracked."""
    add = parser.add_argument
    add("--max-concurrent", type=int, metavar="N", help="resources.max_concurrent")
    add("--gpus-per-trial", type=float, metavar="F", help="resources.gpus_per_trial")
    add("--cpus-per-trial", type=int, metavar="N", help="resources.cpus_per_trial")
    add("--address", metavar="auto|HOST:PORT", help="a running Ray cluster; default: this machine")
    add("--tracking-uri", metavar="URI", help="an MLflow server; default: sqlite in the folder")


def run(arguments: argparse.Namespace) -> int:
    """Checks everything that can be wrong, then runs the benchmark."""
    benchmark = load_benchmark(arguments.space, overrides(arguments))
    path = study_path(arguments)
    # Heavy imports come after the YAML has been read, so that bad input is answered at once.
    if arguments.resume or not arguments.dry_run:
        check(arguments, path, benchmark)
    if arguments.dry_run:
        from study.engine.benchmark.preview import preview

        preview(benchmark)
        return DONE
    return execute(arguments, path, benchmark)


def check(arguments: argparse.Namespace, path: Path, benchmark: Benchmark) -> None:
    """Checks the folder, the tracking server and the cluster."""
    from study.engine.benchmark.growth import changes_of_benchmark
    from study.engine.preparation import check_services

    check_services(
        path,
        changes_of_benchmark(benchmark),
        arguments.resume,
        arguments.tracking_uri,
        arguments.address,
        max(cell.spec.resources.cpus_per_trial or 1 for cell in benchmark.cells),
    )


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Returns --set and the options that stand for a setting, the latter last."""
    options = {
        "resources.max_concurrent": arguments.max_concurrent,
        "resources.gpus_per_trial": arguments.gpus_per_trial,
        "resources.cpus_per_trial": arguments.cpus_per_trial,
    }
    given = [f"{path}={value}" for path, value in options.items() if value is not None]
    return [*arguments.set, *given]


def execute(arguments: argparse.Namespace, path: Path, benchmark: Benchmark) -> int:
    """Runs the benchmark, makes its tables and says how it ended."""
    from study.analysis.benchmark import write_tables
    from study.engine.benchmark.session import run_benchmark
    from study.engine.session import Ended

    ended = run_benchmark(path, benchmark, arguments.address, arguments.tracking_uri)
    for file in write_tables(path):
        print(file)  # noqa: T201
    if ended is Ended.INTERRUPTED:
        return say_interrupted(arguments, "study.benchmark")
    return DONE if ended is Ended.DONE else COULD_NOT_FINISH


if __name__ == "__main__":
    sys.exit(main())
