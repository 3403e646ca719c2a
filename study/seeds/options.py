"""Options of study.seeds."""

import argparse
import math
from collections.abc import Sequence
from typing import Any, get_args

from study.cli import STORAGE_HELP, Parser, add_plan, add_services, path_text
from study.spec.comparison.planning import CROSSING, PAIRS, DesignName
from study.spec.rules import quoted

MOST, MOST_RUNS = 1000, 100_000
"""Largest number of seeds of a factor, and of runs of a configuration."""


def parse_comparison(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line of study.seeds."""
    parser = Parser.of(
        "seeds",
        "Run configurations with many seeds; report which differences remain.",
        [
            "--study runs/adalora_rs",
            "--study runs/adalora_rs --against runs/lora",
            "--study runs/adalora_rs --against runs/lora --until decided --rope 0.01",
            "--study runs/adalora_rs --lottery",
            "--study runs/adalora_rs --vary adapter.p=0 --runs 90 --dry-run",
            "--config a.yaml b.yaml --name mine",
            "--analyse runs/promoters-seeds runs/h3-seeds",
        ],
    )
    _add_configurations(parser)
    _add_design(parser)
    _add_decision(parser)
    add = parser.add_argument_group("the comparison").add_argument
    add("--name", help="name of the comparison (default: <study>-seeds, or -lottery)")
    add("--storage", type=path_text, default="runs", metavar="DIR", help=STORAGE_HELP)
    add("--metric", help="metric to analyse (default: test_<search metric>)")
    add("--resume", action="store_true", help="continue, also with more seeds or configurations")
    add_services(parser)
    add_plan(parser)
    add = parser.add_argument_group("only the analysis").add_argument
    text = "only analyse folders of comparisons, one per task, or of a benchmark"
    add("--analyse", nargs="+", action="extend", type=path_text, metavar="DIR", help=text)
    arguments = parser.parse_args(argv)
    _check(parser, arguments)
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


def _add_design(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("seeds").add_argument
    text = f"runs of every configuration, each with fresh seeds that all share ({PAIRS})"
    add("--pairs", type=_count, metavar="N", help=text)
    text = "also cross the seeds of the first configuration: which of them cause the variance?"
    add("--components", action="store_true", help=text)
    for factor, count, of in zip(
        ("mask", "init", "data"),
        CROSSING,
        ("the random mask", "the initial adapter weights", "the order of the data"),
        strict=True,
    ):
        text = f"crossed runs: number of seeds of {of} ({count})"
        add(f"--{factor}-seeds", type=_count, metavar="N", help=text)
    text = "plan pairs and crossed runs for at most N runs, and say what they can decide"
    add("--runs", type=_runs, metavar="N", help=text)
    text = "paired: which is better? crossed: which seeds matter? (by what is compared)"
    add("--design", choices=get_args(DesignName), help=text)


def _add_decision(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("decision").add_argument
    text = "add pairs until each comparison with the first is decided; exit status 3 if not"
    add("--until", choices=("decided",), help=text)
    add("--max-runs", type=_runs, metavar="N", help="with --until: stop after N runs in all")
    text = "a difference smaller than this does not matter (0.01; losses: 0)"
    add("--rope", type=_rope, metavar="X", help=text)
    add("--json", action="store_true", help="print decisions, intervals and cost as JSON only")


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.lottery and (arguments.study is None or arguments.config or arguments.top):
        parser.error("--lottery must be given with --study, and without --top and --config")
    if arguments.analyse:
        _check_alone(parser, arguments)
    if not (arguments.study or arguments.config or arguments.analyse):
        parser.error("--study, --config or --analyse must be given")
    if arguments.top is not None and (arguments.study is None or arguments.config):
        parser.error("--top must be given with --study and without --config")
    if arguments.max_runs is not None and not arguments.until:
        parser.error("--max-runs must be given with --until decided, but got it alone")
    if arguments.until and (arguments.runs or arguments.design == "crossed"):
        parser.error(
            "--until decided must be given with pairs and --max-runs, but got --runs or --design "
            "crossed"
        )
    given = (arguments.mask_seeds, arguments.init_seeds, arguments.data_seeds)
    crossing = [asked or size for asked, size in zip(given, CROSSING, strict=True)]
    if math.prod(crossing) > MOST_RUNS:
        parser.error(
            f"mask, init and data seeds must give at most {MOST_RUNS} runs of a configuration, "
            f"but {' x '.join(map(str, crossing))} are {math.prod(crossing)}"
        )
    if arguments.components and arguments.design == "paired":
        parser.error("--components must be given without --design paired")


def _check_alone(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses options that have no effect with --analyse."""
    given = sorted(
        "--" + name.replace("_", "-")
        for name, value in vars(arguments).items()
        if name not in ("analyse", "metric", "rope", "json") and value != parser.get_default(name)
    )
    if given:
        parser.error(f"--analyse only reads existing folders: leave out {', '.join(given)}")


def _count(text: str) -> int:
    return _whole(text, MOST)


def _runs(text: str) -> int:
    return _whole(text, MOST_RUNS)


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 1 to {most}, but got {quoted(text)}"
        )
    return int(text)


def _rope(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, but got {quoted(text)}")
    return value
