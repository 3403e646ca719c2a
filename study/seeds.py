"""Compare configurations over many seeds: `python -m study.seeds --study runs/adalora_rs`.

Runs the best configurations of a study, or those of YAML files, and other methods, with crossed
mask, init and data seeds. Then reports differences with intervals and p-values, and how much of
the variance is due to each kind of seed. A comparison has its own folder, `<storage>/<name>/`;
--resume continues it, also with more seeds. `--analyse DIR …` only analyses such folders. Exit
status: 0 done, 1 a run crashed, 2 bad input, 130 interrupted (continue with --resume).
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.cli import (
    COULD_NOT_FINISH,
    DONE,
    STORAGE_HELP,
    Parser,
    add_plan,
    add_services,
    exit_with,
    overrides,
    path_text,
    report_interrupted,
    run_command,
    study_path,
)
from study.engine.comparison.request import SeedsOptions, label_of, read_request
from study.engine.console.display import Display
from study.errors import InputError, instead_of, one_line
from study.spec.comparison.schema import ComparisonSpec
from study.spec.metrics import METRICS
from study.spec.rules import quoted, suggestion

MOST, MOST_RUNS = 1000, 100_000
"""Largest number of seeds of a factor, and of runs of a configuration."""

if TYPE_CHECKING:
    from study.models.info import BackboneInfo
    from study.storage.stored import StoredStudy
    from study.training.encoding import EncodedTask


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    arguments = parse(argv)
    if not arguments.analyse:
        return run_command(run, arguments, resumable="seeds")
    return run_command(run_analysis, arguments)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser.of(
        "seeds",
        "Run configurations with many seeds; report which differences remain.",
        [
            "--study runs/adalora_rs",
            "--study runs/adalora_rs --against runs/lora",
            "--study runs/adalora_rs --lottery",
            "--study runs/adalora_rs --vary adapter.p=0 --mask-seeds 8 --dry-run",
            "--config a.yaml b.yaml --name mine",
            "--analyse runs/promoters-seeds runs/h3-seeds",
        ],
    )
    _add_configurations(parser)
    add = parser.add_argument_group("seeds").add_argument
    for factor, count, of in (
        ("mask", 5, "the random mask"),
        ("init", 3, "the initial adapter weights"),
        ("data", 3, "the order of the data"),
    ):
        option, text = f"--{factor}-seeds", f"number of seeds of {of} ({count})"
        add(option, type=_count, default=count, metavar="N", help=text)
    add = parser.add_argument_group("the comparison").add_argument
    add("--name", help="name of the comparison (default: <study>-seeds, or -lottery)")
    add("--storage", type=path_text, default="runs", metavar="DIR", help=STORAGE_HELP)
    add("--metric", help="metric to analyse (default: test_<search metric>)")
    add("--resume", action="store_true", help="continue, also with more seeds or configurations")
    add_services(parser)
    add_plan(parser)
    add = parser.add_argument_group("only the analysis").add_argument
    text = "only analyse folders of comparisons, one per task"
    add("--analyse", nargs="+", action="extend", type=path_text, metavar="DIR", help=text)
    arguments = parser.parse_args(argv)
    if arguments.lottery and (arguments.study is None or arguments.config or arguments.top):
        parser.error("--lottery must be given with --study, and without --top and --config")
    if arguments.analyse:
        _check_alone(parser, arguments)
    given = arguments.study or arguments.config or arguments.analyse
    if not given:
        parser.error("--study, --config or --analyse must be given")
    if arguments.top is not None and (arguments.study is None or arguments.config):
        parser.error("--top must be given with --study and without --config")
    seeds = (arguments.mask_seeds, arguments.init_seeds, arguments.data_seeds)
    if math.prod(seeds) > MOST_RUNS:
        parser.error(
            f"mask, init and data seeds must give at most {MOST_RUNS} runs of a configuration, "
            f"but {' x '.join(map(str, seeds))} are {math.prod(seeds)}"
        )
    if arguments.name is None:
        kind = "lottery" if arguments.lottery else "seeds"
        arguments.name = f"{label_of(arguments.study or given[0])}-{kind}"
    return arguments


def _add_configurations(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("configurations").add_argument
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    text = "folder of a study; its winner (best.yaml) is run"
    add("--study", type=path_text, metavar="DIR", help=text)
    add("--top", type=_count, metavar="K", help="with --study: its K best complete trials")
    text = (
        "with --study: LoRA with the winner's final ranks, with these in another order, and with "
        "equal ranks: does the pattern matter, or only the path to it?"
    )
    add("--lottery", action="store_true", help=text)
    text = "files with one value per setting, such as best.yaml"
    add("--config", **several, type=path_text, metavar="YAML", help=text)
    text = "other methods; settings without a value are those of the first configuration"
    names = "YAML|NAME|DIR"
    add("--against", **several, type=path_text, metavar=names, help=text)
    text = "the first configuration with a changed setting (or several: a.b=c,d.e=f), each"
    add("--vary", **several, metavar="a.b=c", help=text)
    text = "override a setting of all configurations"
    add("--set", action="append", default=[], metavar="a.b=c", help=text)


def _check_alone(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses options that have no effect with --analyse."""
    given = sorted(
        "--" + name.replace("_", "-")
        for name, value in vars(arguments).items()
        if name not in ("analyse", "metric") and value != parser.get_default(name)
    )
    if given:
        parser.error(f"--analyse only reads existing folders: leave out {', '.join(given)}")


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(MOST)) or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 to {MOST}, but got {quoted(text)}"
        )
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Checks the input, then runs the comparison and analyses it."""
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
            lottery=arguments.lottery,
        )
    )
    path = study_path(arguments)
    if arguments.resume and not (path / "spec.yaml").exists():
        raise InputError(
            f"{path}: --resume must name the folder of a comparison, but got "
            f"{instead_of(path / 'spec.yaml')}; leave --resume out to start it, or give the "
            "--storage and --name it was started with"
        )
    display = Display(arguments.quiet or arguments.dry_run)
    display.phase(f"{path.name}: reading the data")
    # Heavy imports come after the YAML has been read, so that errors in it are reported at once.
    from study.engine.comparison.design import changes_of_comparison
    from study.engine.comparison.preview import check_patterns, check_runs, preview
    from study.engine.preparation import check_services, check_weights_of_plan, prepare_data
    from study.training.fit import check_fit

    first = comparison.spec.first
    stored = check_services(
        path,
        changes_of_comparison(comparison.spec),
        arguments.resume,
        arguments.tracking_uri,
        arguments.address,
        first.resources.cpus_per_trial or 1,
        arguments.no_token,
    )
    info, data = prepare_data(first)
    for one in comparison.spec.configurations.values():
        check_fit(one, info)
    check_runs(comparison.spec, data)
    check_patterns(comparison.spec, info, data.num_labels)
    if arguments.dry_run:
        check_weights_of_plan(first, info, data, stored)
    if arguments.dry_run or not arguments.quiet:
        preview(comparison, len(data.train))
    if arguments.dry_run:
        return DONE
    return execute(arguments, stored, comparison.spec, info, data, display)


def _check_metric(metric: str | None) -> None:
    known = [f"{split}_{name}" for split in ("test", "dev") for name in METRICS]
    if metric is not None and metric not in known:
        raise InputError(
            f"--metric: must be one of {', '.join(known)}, but got {metric!r}"
            f"{suggestion(metric, known)}"
        )


def execute(
    arguments: argparse.Namespace,
    stored: "StoredStudy",
    spec: ComparisonSpec,
    info: "BackboneInfo",
    data: "EncodedTask",
    display: Display,
) -> int:
    """Runs the comparison, analyses it and returns the exit status."""
    display.phase("importing PyTorch, transformers and Ray")
    from study.engine.comparison.session import run_comparison
    from study.engine.driver import SessionStatus

    services = arguments.address, arguments.tracking_uri
    ended = run_comparison(stored, spec, info, data, *services, display)
    if ended is SessionStatus.INTERRUPTED:
        return report_interrupted(arguments, "seeds")
    analyse([stored.folder.path], arguments.metric or f"test_{spec.first.search.metric}")
    return DONE if ended is SessionStatus.DONE else COULD_NOT_FINISH


def run_analysis(arguments: argparse.Namespace) -> int:
    """Analyses the folders of --analyse."""
    analyse([Path(folder).absolute() for folder in arguments.analyse], arguments.metric)
    return DONE


def analyse(folders: Sequence[Path], metric: str | None) -> None:
    """Analyses comparison folders and prints the results; needs neither Ray nor torch.

    Raises:
        InputError: a folder is not a comparison folder, or has nothing to analyse.
    """
    from study.analysis.comparison import analyse, write_analysis
    from study.analysis.comparison.sentences.answers import report_lines

    analysis = analyse(folders, metric)
    for warning in analysis.warnings:
        print(f"warning: {one_line(warning)}", file=sys.stderr)  # noqa: T201
    files = write_analysis(analysis)  # Files are written before anything is printed.
    print(*report_lines(analysis), "", *files, sep="\n")  # noqa: T201


if __name__ == "__main__":
    exit_with(main)
