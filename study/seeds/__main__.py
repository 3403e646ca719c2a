"""Compare configurations over many seeds: `python -m study.seeds --study runs/adalora_rs`.

Runs the best configurations of a study, or those of YAML files, and other methods. Differences are
decided by pairs of runs with fresh seeds, the same for all configurations; which seeds cause the
variance is answered by crossed seeds of the first configuration. A comparison has its own folder,
`<storage>/<name>/`; --resume continues it, also with more pairs. `--until decided` adds pairs
until there is a decision, which may be looked at after every pair. `--analyse DIR …` only analyses
such folders. Exit status: 0 done or decided, 1 a run crashed, 2 bad input, 3 undecided, 130
interrupted (continue with --resume).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import (
    COULD_NOT_FINISH,
    DONE,
    UNDECIDED,
    exit_with,
    overrides,
    report_interrupted,
    run_command,
    study_path,
)
from study.engine.comparison.request import SeedsOptions, label_of, read_request
from study.engine.console.display import Display
from study.engine.console.lines import print_lines
from study.errors import InputError, instead_of, one_line
from study.seeds.options import parse_comparison
from study.spec.comparison.planning import SeedsPlan, number_of_questions
from study.spec.comparison.schema import (
    ComparisonSpec,
    count_runs,
    is_comparison,
    load_comparison,
)
from study.spec.metrics import METRICS
from study.spec.rules import suggestion

if TYPE_CHECKING:
    from study.analysis.comparison.analysis import Analysis
    from study.engine.comparison.until import Growth
    from study.models.info import BackboneInfo
    from study.storage.stored import StoredStudy
    from study.training.encoding import EncodedTask

MOST_PAIRS = 200
"""Largest number of pairs with --until decided, if --max-runs is not given."""
NO_PAIRS = {"pairs": None}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    arguments = parse(argv)
    arguments.output = sys.stdout
    # With --json a script reads standard output: everything else is for standard error.
    with redirect_stdout(sys.stderr if arguments.json else sys.stdout):
        if not arguments.analyse:
            return run_command(run, arguments, resumable="seeds")
        return run_command(run_analysis, arguments)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line; the name of the comparison is that of the study by default."""
    arguments = parse_comparison(argv)
    if arguments.name is None:
        kind = "lottery" if arguments.lottery else "seeds"
        given = arguments.config or arguments.analyse
        arguments.name = f"{label_of(arguments.study or given[0])}-{kind}"
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Checks the input, then runs the comparison and analyses it."""
    _check_metric(arguments.metric)
    path = study_path(arguments)
    comparison = read_request(_options(arguments), _stored(path) if arguments.resume else None)
    if arguments.until and len(comparison.spec.configurations) < 2:
        raise InputError(
            "--until decided: at least two configurations must be compared, but got one; add "
            "another with --against or --vary"
        )
    planned = count_runs(comparison.spec)
    if arguments.max_runs is not None and arguments.max_runs < planned:
        raise InputError(
            f"--max-runs {arguments.max_runs}: must be at least the number of runs that are "
            f"planned at first, {planned}, but got {arguments.max_runs}; give more, or plan fewer "
            "(--pairs, without crossed runs)"
        )
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
        print_lines(display.end, _power(comparison.spec, _most_pairs(arguments, comparison.spec)))
    if arguments.dry_run:
        return DONE
    return execute(arguments, stored, comparison.spec, info, data, display)


def _most_pairs(arguments: argparse.Namespace, spec: ComparisonSpec) -> int:
    """Returns the largest number of pairs that may be run."""
    if arguments.until is None:
        return 0 if spec.pairs is None else len(spec.pairs.init)
    if arguments.max_runs is None:
        return MOST_PAIRS
    crossed = 0 if spec.components is None else count_runs(spec.model_copy(update=NO_PAIRS))
    left: int = arguments.max_runs - crossed
    return max(1, left // len(spec.configurations))


def _power(spec: ComparisonSpec, pairs: int) -> list[str]:
    """Returns what so many pairs can decide; [] without a comparison."""
    count = len(spec.configurations)
    if spec.pairs is None or count < 2:
        return []
    from study.analysis.comparison.verdict.decision import FAMILY_LEVEL
    from study.analysis.comparison.verdict.power import smallest_effect

    asked = number_of_questions(count)
    effect = smallest_effect(pairs, FAMILY_LEVEL / asked)
    what = f"{asked} comparison{'s' * (asked > 1)}, which share an error of 5 %"
    if effect is None:
        return [f"power      {pairs} pairs are too few to decide anything: {what}"]
    return [
        f"power      {what}: {pairs} pairs find a difference of {effect:.2f} sd of a difference "
        "between two runs with equal seeds in 80 % of cases, before the error of the test set"
    ]


def _options(arguments: argparse.Namespace) -> SeedsOptions:
    crossing = (arguments.mask_seeds, arguments.init_seeds, arguments.data_seeds)
    return SeedsOptions(
        study=arguments.study,
        top=arguments.top,
        configs=arguments.config,
        against=arguments.against,
        vary=arguments.vary,
        overrides=overrides(arguments),
        seeds=SeedsPlan(
            design=arguments.design,
            pairs=arguments.pairs,
            crossing=crossing,
            components=arguments.components,
            runs=arguments.runs,
            until_decided=arguments.until == "decided",
        ),
        lottery=arguments.lottery,
    )


def _stored(path: Path) -> ComparisonSpec | None:
    file = path / "spec.yaml"
    return load_comparison(file) if is_comparison(file) else None


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
    metric = arguments.metric or f"test_{spec.first.search.metric}"
    growth = _growth(arguments, spec, metric)
    ended = run_comparison(stored, spec, info, data, *services, display, growth)
    if ended is SessionStatus.INTERRUPTED:
        return report_interrupted(arguments, "seeds")
    analysis = analyse([stored.folder.path], metric, arguments)
    if ended is not SessionStatus.DONE:
        return COULD_NOT_FINISH
    return DONE if arguments.until is None or analysis.decided else UNDECIDED


def _growth(arguments: argparse.Namespace, spec: ComparisonSpec, metric: str) -> "Growth | None":
    """Returns how long pairs are added; None without --until."""
    if arguments.until is None:
        return None
    from study.analysis.comparison.analysis import is_decided
    from study.engine.comparison.until import Growth

    def decided(folder: Path) -> bool:
        return is_decided(folder, metric, arguments.rope)

    return Growth(decided, _most_pairs(arguments, spec))


def run_analysis(arguments: argparse.Namespace) -> int:
    """Analyses the folders of --analyse."""
    folders = [Path(folder).absolute() for folder in arguments.analyse]
    analyse(folders, arguments.metric, arguments)
    return DONE


def analyse(
    folders: Sequence[Path], metric: str | None, arguments: argparse.Namespace
) -> "Analysis":
    """Analyses comparison folders and prints the results; needs neither Ray nor torch.

    Raises:
        InputError: a folder is not a comparison folder, or has nothing to analyse.
    """
    from study.analysis.comparison import analyse, write_analysis
    from study.analysis.comparison.page.tables import decisions
    from study.analysis.comparison.sentences.answers import report_lines

    analysis = analyse(folders, metric, rope=arguments.rope)
    for warning in analysis.warnings:
        print(f"warning: {one_line(warning)}", file=sys.stderr)  # noqa: T201
    files = write_analysis(analysis)  # Files are written before anything is printed.
    if arguments.json:
        text = json.dumps(decisions(analysis), indent=2, allow_nan=False)
        print(text, file=arguments.output)
    else:
        print(*report_lines(analysis), "", *files, sep="\n")  # noqa: T201
    return analysis


if __name__ == "__main__":
    exit_with(main)
