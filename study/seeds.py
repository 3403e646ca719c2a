"""Compare seeds: `python -m study.seeds --study runs/adalora_rs`.

Runs a study's best configuration, others of it, or those of YAML files, with every mask seed, init
seed and data seed crossed, beside other methods on the same seeds; then says how much each kind of
luck matters, and what still stands. It lives in one folder, `<storage>/<name>/`, and grows with
--resume. `--analyse DIR …` only reads such folders. Exit status: 0 done, 1 some run crashed, 2 bad
input, 130 interrupted (go on with --resume).
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from study.cli import (
    COULD_NOT_FINISH,
    DONE,
    add_services,
    overrides,
    report_interrupted,
    run_command,
    study_path,
)
from study.engine.comparison.request import SeedsOptions, label_of, read_request
from study.errors import InputError
from study.spec.comparison.schema import ComparisonSpec
from study.spec.rules import shown, suggestion
from study.spec.schema import Metric

MOST, MOST_RUNS = 1000, 100_000
"""Seeds of a stream, and runs of a configuration: beyond it lie neither use nor patience."""

if TYPE_CHECKING:
    from study.models.info import BackboneInfo
    from study.training.encoding import EncodedTask


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    arguments = parse(argv)
    if not arguments.analyse:
        return run_command(run, arguments, resumable="study.seeds")
    return run_command(run_analysis, arguments)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m study.seeds",
        description="Run configurations with many seeds, and say what luck has to do with it.",
    )
    add = parser.add_argument
    add("--study", metavar="DIR", help="a study's folder: its best trial (best.yaml)")
    add("--top", type=_count, metavar="K", help="of --study: its K best complete trials")
    add("--config", nargs="+", metavar="YAML", default=[], help="configurations, as best.yaml")
    for factor, count, of in (
        ("mask", 5, "the random mask"),
        ("init", 3, "new weights"),
        ("data", 3, "the order of the data"),
    ):
        option, text = f"--{factor}-seeds", f"how many seeds of {of} ({count})"
        add(option, type=_count, default=count, metavar="N", help=text)
    against = "other methods; what they search or leave out is as in the first configuration"
    add("--against", nargs="+", default=[], metavar="YAML|NAME|DIR", help=against)
    vary = "the first configuration with a setting changed (several: a.b=c,d.e=f), each"
    add("--vary", nargs="+", default=[], metavar="a.b=c", help=vary)
    add("--metric", help="what is analysed; default: test_<search metric>")
    add("--name", help="the comparison's name; default: the study's, with -seeds")
    add("--storage", default="runs", metavar="DIR", help="where its folder lives (runs)")
    add("--set", action="append", default=[], metavar="a.b=c", help="a setting of all")
    add_services(parser)
    add("--resume", action="store_true", help="go on, also with more seeds or configurations")
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    add("--analyse", nargs="+", metavar="DIR", help="only analyse comparison folders, a task each")
    arguments = parser.parse_args(argv)
    if arguments.analyse:
        _check_alone(parser, arguments)
    given = arguments.study or arguments.config or arguments.analyse
    if not given:
        parser.error("--study, --config or --analyse is required: what is to be compared")
    if arguments.top is not None and (arguments.study is None or arguments.config):
        parser.error("--top chooses among the trials of --study, and leaves no room for --config")
    seeds = (arguments.mask_seeds, arguments.init_seeds, arguments.data_seeds)
    if math.prod(seeds) > MOST_RUNS:
        parser.error(
            f"mask, init and data seeds are crossed, in at most {MOST_RUNS} runs of a "
            f"configuration, but {' x '.join(map(str, seeds))} are {math.prod(seeds)}"
        )
    if arguments.name is None:
        arguments.name = f"{label_of(arguments.study or given[0])}-seeds"
    return arguments


def _check_alone(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses what --analyse, which only reads, would not heed."""
    given = [
        "--" + name.replace("_", "-")
        for name, value in vars(arguments).items()
        if name not in ("analyse", "metric") and value != parser.get_default(name)
    ]
    if given:
        parser.error(f"--analyse only reads what is there: leave out {', '.join(given)}")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(MOST)) or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 to {MOST}, but is {shown(text)}"
        )
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Checks everything that can be wrong, then runs the comparison and analyses it."""
    _check_metric(arguments.metric)
    comparison = read_request(
        SeedsOptions(
            study=arguments.study,
            top=arguments.top,
            configs=arguments.config,
            against=arguments.against,
            vary=arguments.vary,
            overrides=overrides(arguments),
            seeds=(arguments.mask_seeds, arguments.init_seeds, arguments.data_seeds),
        )
    )
    path = study_path(arguments)
    if arguments.resume and not (path / "spec.yaml").exists():
        raise InputError(
            f"{path}: --resume needs a comparison's folder, but there is no spec.yaml here; leave "
            "--resume out to start it, or give the --storage and --name it was started with"
        )
    # Heavy imports come after the YAML has been read, so that bad input is answered at once.
    from study.engine.comparison.design import changes_of_comparison
    from study.engine.comparison.preview import check_runs, preview
    from study.engine.preparation import check_services, prepare_data

    first = comparison.spec.first
    if arguments.resume or not arguments.dry_run:
        check_services(
            path,
            changes_of_comparison(comparison.spec),
            arguments.resume,
            arguments.tracking_uri,
            arguments.address,
            first.resources.cpus_per_trial or 1,
        )
    info, data = prepare_data(first)
    check_runs(comparison.spec, len(data.train))
    preview(comparison, len(data.train))
    if arguments.dry_run:
        return DONE
    return execute(arguments, path, comparison.spec, info, data)


def _check_metric(metric: str | None) -> None:
    known = [f"{split}_{name}" for split in ("test", "dev") for name in get_args(Metric)]
    if metric is not None and metric not in known:
        raise InputError(
            f"--metric: must be one of {', '.join(known)}, but got {metric!r}"
            f"{suggestion(metric, known)}"
        )


def execute(
    arguments: argparse.Namespace,
    path: Path,
    spec: ComparisonSpec,
    info: "BackboneInfo",
    data: "EncodedTask",
) -> int:
    """Runs the comparison, analyses it and says how it ended."""
    from study.engine.comparison.session import run_comparison
    from study.engine.driver import Ended

    ended = run_comparison(path, spec, info, data, arguments.address, arguments.tracking_uri)
    if ended is Ended.INTERRUPTED:
        return report_interrupted(arguments, "study.seeds")
    analyse([path], arguments.metric or f"test_{spec.first.search.metric}")
    return DONE if ended is Ended.DONE else COULD_NOT_FINISH


def run_analysis(arguments: argparse.Namespace) -> int:
    """Analyses the folders of --analyse."""
    analyse([Path(folder).absolute() for folder in arguments.analyse], arguments.metric)
    return DONE


def analyse(folders: Sequence[Path], metric: str | None) -> None:
    """Analyses comparison folders together; needs neither Ray nor torch.

    Raises:
        InputError: one of them is none, or has nothing to analyse.
    """
    from study.analysis.comparison import analyse, write_analysis
    from study.analysis.comparison.sentences.answers import report_lines

    found = analyse(folders, metric)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
    files = write_analysis(found)  # What long runs have found is on disk before it is said.
    print(*report_lines(found), "", *files, sep="\n")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
