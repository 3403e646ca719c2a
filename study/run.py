"""Run a study: `python -m study.run --space adalora_rs.yaml`.

The space is a YAML file, or the name of one in search_spaces/. The study is stored in one folder,
`<storage>/<name>/`. Exit status: 0 done, 1 the study could not finish, 2 bad input, 130
interrupted (resume with --resume).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.cli import (
    COULD_NOT_FINISH,
    DONE,
    exit_with,
    overrides,
    parse_study,
    report_interrupted,
    run_command,
    study_path,
)
from study.spec import StudySpec, json_schema, load_spec
from study.storage.folder import is_stored_spec

if TYPE_CHECKING:
    from study.engine.console.display import Display
    from study.models.info import BackboneInfo
    from study.storage.events import WarmStart
    from study.storage.stored import StoredStudy
    from study.training.encoding import EncodedTask


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return run_command(run, parse_study(argv), resumable="run")


def run(arguments: argparse.Namespace) -> int:
    """Checks the input, then prints the plan of the study or runs it."""
    if arguments.print_schema:
        print(json.dumps(json_schema(), indent=2))  # noqa: T201
        return DONE
    from study.engine.console.display import Display
    from study.engine.console.lines import warn

    spec = load_spec(
        arguments.space, overrides(arguments), warn, stored=is_stored_spec(arguments.space)
    )
    path, display = study_path(arguments), Display(arguments.quiet)
    display.phase(f"{path.name}: reading the data")
    # Heavy imports come after the YAML has been read, so that bad input is reported at once.
    from study.engine.preparation import check_services, prepare_data
    from study.storage.growth import changes_of_study

    stored = check_services(
        path,
        changes_of_study(spec),
        arguments.resume,
        arguments.tracking_uri,
        arguments.address,
        spec.resources.cpus_per_trial or 1,
        arguments.no_token,
    )
    if arguments.resume:
        spec = resume_spec(arguments, stored, spec)
    earlier = earlier_study(arguments, stored, spec)
    info, data = prepare_data(spec)
    display.phase("importing PyTorch, transformers and Ray")
    if arguments.dry_run:
        return dry_run(arguments, stored, spec, info, data, earlier)
    return execute(arguments, stored, spec, info, data, display, earlier)


def resume_spec(
    arguments: argparse.Namespace, stored: "StoredStudy", spec: StudySpec
) -> StudySpec:
    """Returns the spec with the trials of the stored study, plus those of --extend.

    Warns on standard error if --trials asks for fewer than there are.

    Raises:
        InputError: the journal is damaged, or the study cannot be extended.
    """
    from study.engine.console.lines import warn
    from study.storage.growth import extended, with_trials_of

    stored.study_record()
    before = stored.spec
    if arguments.extend is None:
        if arguments.trials is not None and arguments.trials < before.search.trials:
            warn(f"--trials {arguments.trials}: the study keeps its {before.search.trials} trials")
        return with_trials_of(before, spec)
    spec = extended(before, spec, arguments.extend)
    arguments.trials = spec.search.trials
    return spec


def earlier_study(
    arguments: argparse.Namespace, stored: "StoredStudy", spec: StudySpec
) -> "WarmStart | None":
    """Returns the results of --warm-start, None without it; warns of differences and omissions."""
    from study.engine.console.lines import warn
    from study.storage.warm_start import earlier_results

    if arguments.warm_start is None:
        return None
    source = Path(arguments.warm_start).absolute()
    earlier = earlier_results(stored, source, spec)
    if earlier is not None and earlier.differs:
        warn(f"--warm-start: {source} differs in {', '.join(earlier.differs)}")
    for reason, count in earlier.left_out.items() if earlier else ():
        warn(f"--warm-start: {count} trials of {source} are left out: {reason}")
    return earlier


def dry_run(
    arguments: argparse.Namespace,
    stored: "StoredStudy",
    spec: StudySpec,
    info: "BackboneInfo",
    data: "EncodedTask",
    earlier: "WarmStart | None",
) -> int:
    """Prints the plan; checks first that an existing study could be resumed with this input."""
    from study.engine.driver import check_data
    from study.engine.preparation import check_weights, check_weights_of_plan
    from study.engine.preview import preview

    check_data(stored, data)
    # Trials cannot be timed without the weights.
    check = check_weights if arguments.calibrate else check_weights_of_plan
    check(spec, info, data, stored)
    preview(
        spec,
        info,
        data,
        arguments.address,
        earlier,
        schedules=arguments.verbose,
        measure=arguments.calibrate,
    )
    return DONE


def execute(
    arguments: argparse.Namespace,
    stored: "StoredStudy",
    spec: StudySpec,
    info: "BackboneInfo",
    data: "EncodedTask",
    display: "Display",
    earlier: "WarmStart | None",
) -> int:
    """Runs the study, writes its report and returns the exit status."""
    from study.analysis.study.page import write_live_report, write_report
    from study.engine.driver import SessionStatus
    from study.engine.session import run_study

    display.keep_current(
        lambda: write_live_report(stored.current()), lambda: write_report(stored.current())
    )
    services = arguments.address, arguments.tracking_uri
    try:
        ended = run_study(
            stored, spec, info, data, *services, display, earlier, arguments.tensorboard
        )
    except KeyboardInterrupt:
        if stored.folder.journal.is_file():
            write_report(stored.current())
        raise
    display.write_last_page()
    if ended is SessionStatus.INTERRUPTED:
        return report_interrupted(arguments, "run")
    return DONE if ended is SessionStatus.DONE else COULD_NOT_FINISH


if __name__ == "__main__":
    exit_with(main)
