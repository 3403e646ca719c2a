"""Run a study: `python -m study.run --space adalora_rs.yaml`.

The space is a YAML file, or the name of one in search_spaces/. The study lives in one folder,
`<storage>/<name>/`. Exit status: 0 done, 1 the study could not finish, 2 bad input, 130
interrupted (go on with --resume).
"""

import argparse
import errno
import json
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import InputError
from study.spec import StudySpec, json_schema, load_spec

if TYPE_CHECKING:
    from study.engine.warm_start import Earlier
    from study.models.inspect import BackboneInfo
    from study.training.encoded import EncodedTask

STORAGE_FAULTS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG),
    *(errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOLCK),
)
"""A full disk, a used-up quota, a file system that has become read-only, a file too large; no
permission (two), a broken disk, a file server that has lost the folder or gives no locks."""
DONE, COULD_NOT_FINISH, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    return answer("study.run", run, parse(argv))


def answer(
    command: str, run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace
) -> int:
    """Runs a command; bad input becomes one line, others' doing the way to go on."""
    try:
        return run(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
    except KeyboardInterrupt:
        return say_interrupted(arguments, command)
    except MemoryError as error:
        print(f"error: out of memory: {error}", file=sys.stderr)  # noqa: T201
        say_how_to_go_on(arguments, command, "where there is more memory, go on with")
        return COULD_NOT_FINISH
    except OSError as error:
        if error.errno not in STORAGE_FAULTS:
            raise
        where = error.filename or "the study folder"
        print(f"error: {where} cannot be used: {error.strerror}", file=sys.stderr)  # noqa: T201
        say_how_to_go_on(arguments, command, "make room, or mend the storage; then go on with")
        return COULD_NOT_FINISH


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m study.run", description="Run a study of AdaLoRA+RS hyperparameters."
    )
    add = parser.add_argument
    add("--space", metavar="YAML|NAME", help="the study: a YAML file or a name in search_spaces/")
    add("--name", help="the study's name; default: the YAML's")
    add("--storage", default="runs", metavar="DIR", help="where study folders live (runs)")
    add("--set", action="append", default=[], metavar="a.b=c", help="override a setting")
    add("--trials", type=int, metavar="N", help="search.trials")
    add("--max-concurrent", type=int, metavar="N", help="resources.max_concurrent")
    add("--gpus-per-trial", type=float, metavar="F", help="resources.gpus_per_trial")
    add("--cpus-per-trial", type=int, metavar="N", help="resources.cpus_per_trial")
    add("--address", metavar="auto|HOST:PORT", help="a running Ray cluster; default: this machine")
    add("--tracking-uri", metavar="URI", help="an MLflow server; default: sqlite in the folder")
    add("--resume", action="store_true", help="go on with an interrupted study")
    add("--extend", type=int, metavar="N", help="go on with N more trials, also when finished")
    add(
        "--warm-start", metavar="DIR", help="let the sampler begin with an earlier study's results"
    )
    add("--dry-run", action="store_true", help="print the plan; train nothing, write nothing")
    add("--print-schema", action="store_true", help="print the JSON schema of a space; exit")
    arguments = parser.parse_args(argv)
    if not arguments.space and not arguments.print_schema:
        parser.error("--space is required: a YAML file, or a name such as adalora_rs")
    if arguments.extend is not None and arguments.trials is not None:
        parser.error("--extend adds to the trials that a study has, so --trials must be left out")
    arguments.resume = arguments.resume or arguments.extend is not None
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Checks everything that can be wrong, then runs the study."""
    if arguments.print_schema:
        print(json.dumps(json_schema(), indent=2))  # noqa: T201
        return DONE
    spec = load_spec(arguments.space, overrides(arguments))
    path = study_path(arguments)
    # Heavy imports come after the YAML has been read, so that bad input is answered at once.
    from study.engine.growth import changes_of_study
    from study.engine.preparation import check_services, prepare_data

    if arguments.resume or not arguments.dry_run:
        check_services(
            path,
            changes_of_study(spec),
            arguments.resume,
            arguments.tracking_uri,
            arguments.address,
            spec.resources.cpus_per_trial or 1,
        )
    if arguments.resume:
        spec = go_on_with(arguments, path, spec)
    earlier = earlier_study(arguments, path, spec)
    info, data = prepare_data(spec)
    if arguments.dry_run:
        return dry_run(arguments, path, spec, info, data, earlier)
    return execute(arguments, path, spec, info, data, earlier)


def go_on_with(arguments: argparse.Namespace, path: Path, spec: StudySpec) -> StudySpec:
    """Returns the spec with as many trials as the study in `path` has or is given now.

    Warns on standard error if fewer were asked for.
    """
    from study.engine.folder import StudyFolder
    from study.engine.growth import extended, standing_spec, with_trials_of
    from study.engine.preparation import warn

    before = standing_spec(StudyFolder(path))
    if arguments.extend is None:
        if arguments.trials is not None and arguments.trials < before.search.trials:
            warn(f"--trials {arguments.trials}: the study keeps its {before.search.trials} trials")
        return with_trials_of(before, spec)
    spec = extended(before, spec, arguments.extend)
    arguments.trials = spec.search.trials
    return spec


def earlier_study(arguments: argparse.Namespace, path: Path, spec: StudySpec) -> "Earlier | None":
    """Returns the results of --warm-start; warns of what is not as it was there."""
    from study.engine.preparation import warn
    from study.engine.warm_start import earlier_results

    if arguments.warm_start is None:
        return None
    source = Path(arguments.warm_start).absolute()
    earlier = earlier_results(path, source, spec)
    if earlier is not None and earlier["differs"]:
        warn(f"--warm-start: {source} differs in {', '.join(earlier['differs'])}")
    for reason, count in earlier["left_out"].items() if earlier else ():
        warn(f"--warm-start: {count} trials of {source} are left out: {reason}")
    return earlier


def study_path(arguments: argparse.Namespace) -> Path:
    """Returns the study's folder.

    Raises:
        InputError: the name is not that of a folder in the storage.
    """
    name = Path(arguments.space).stem if arguments.name is None else arguments.name
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        raise InputError(
            f"--name {name[:120]!r}: it must be the name of a folder, of up to 100 letters, "
            "digits, spaces and _ . -, the first a letter, digit or _; give a path as --storage"
        )
    return Path(arguments.storage).absolute() / name


def say_interrupted(arguments: argparse.Namespace, command: str = "study.run") -> int:
    """Says how to go on; nothing to go on with, nothing said of it."""
    print("\ninterrupted", file=sys.stderr)  # noqa: T201
    say_how_to_go_on(arguments, command, "go on with")
    return INTERRUPTED


def say_how_to_go_on(arguments: argparse.Namespace, command: str, how: str) -> None:
    """Prints the command that resumes a study, if there is one to resume."""
    if (study_path(arguments) / "spec.yaml").exists():
        again = shlex.join(["python", "-m", command, *_again(arguments)])
        print(f"nothing that was reported is lost; {how}:\n  {again}")  # noqa: T201


def _again(arguments: argparse.Namespace) -> list[str]:
    """The options to go on with: --extend, said twice, would add its trials twice."""
    given = sys.argv[1:]
    place = next((n for n, word in enumerate(given) if _is_extend(word)), None)
    if place is not None and arguments.trials is not None:
        width = 1 if "=" in given[place] else 2
        given[place : place + width] = ["--trials", str(arguments.trials), "--resume"]
    elif not arguments.resume:
        given = [*given, "--resume"]
    return given


def _is_extend(word: str) -> bool:
    return word.startswith("--e") and "--extend".startswith(word.partition("=")[0])


def overrides(arguments: argparse.Namespace) -> list[str]:
    """Returns --set and the options that stand for a setting, the latter last."""
    options = {
        "search.trials": arguments.trials,
        "resources.max_concurrent": arguments.max_concurrent,
        "resources.gpus_per_trial": arguments.gpus_per_trial,
        "resources.cpus_per_trial": arguments.cpus_per_trial,
    }
    given = [f"{path}={value}" for path, value in options.items() if value is not None]
    return [*arguments.set, *given]


def dry_run(
    arguments: argparse.Namespace,
    path: Path,
    spec: StudySpec,
    info: "BackboneInfo",
    data: "EncodedTask",
    earlier: "Earlier | None",
) -> int:
    """Prints the plan, unless the study that is there could not go on."""
    from study.engine.beginning import check_data
    from study.engine.folder import StudyFolder
    from study.engine.session import preview

    if arguments.resume:
        check_data(StudyFolder(path), data)
    preview(spec, info, data, arguments.address, earlier)
    return DONE


def execute(
    arguments: argparse.Namespace,
    path: Path,
    spec: StudySpec,
    info: "BackboneInfo",
    data: "EncodedTask",
    earlier: "Earlier | None",
) -> int:
    """Runs the study and says how it ended."""
    from study.analysis.page import write_report
    from study.engine.folder import StudyFolder
    from study.engine.session import Ended, run_study

    ended = run_study(path, spec, info, data, arguments.address, arguments.tracking_uri, earlier)
    write_report(StudyFolder(path))
    if ended is Ended.INTERRUPTED:
        return say_interrupted(arguments)
    return DONE if ended is Ended.DONE else COULD_NOT_FINISH


if __name__ == "__main__":
    sys.exit(main())
