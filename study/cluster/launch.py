"""The study or benchmark of a command line, checked, and the templates that launch it."""

import argparse
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from study.cli import overrides, parse_benchmark, parse_study, study_path
from study.errors import InputError


@dataclass(frozen=True)
class Launch:
    """A command line, complete except for the address of the cluster and `--resume`."""

    command: str
    """The study's module and arguments, quoted for a shell."""
    study: Path
    """The folder of the study: once it exists, `--resume` is added to the command."""
    name: str
    """Of the job."""


def launch(
    arguments: Sequence[str], *, benchmark: bool, read_space: bool, name: str | None
) -> Launch:
    """Parses the arguments of a study, or of a benchmark, as that command does.

    `read_space`: whether the space is read too, if the job will see the same files.

    Raises:
        InputError: they are invalid for an unattended job on a cluster.
        SystemExit: the command does not have such options; its usage has been printed.
    """
    parsed = (parse_benchmark if benchmark else parse_study)(arguments)
    _check_unattended(parsed)
    if read_space:
        _read_space(parsed.space, overrides(parsed), benchmark)
    study = study_path(parsed)
    module = "study.benchmark" if benchmark else "study.run"
    return Launch(
        shlex.join(["python", "-m", module, *arguments]), study, job_name(name or study.name)
    )


def _read_space(space: str, overrides: Sequence[str], benchmark: bool) -> None:
    if benchmark:
        from study.spec.benchmark.loading import load_benchmark

        load_benchmark(space, overrides)
    else:
        from study.spec import load_spec

        load_spec(space, overrides)


def _check_unattended(arguments: argparse.Namespace) -> None:
    if not Path(arguments.storage).is_absolute():
        raise InputError(
            f"--storage {arguments.storage}: must be an absolute path, of a folder that all nodes "
            "share, but got a relative one; give it after `--`, with the study's arguments"
        )
    if getattr(arguments, "extend", None) is not None:  # Only of a study; it implies --resume.
        raise InputError(
            "--extend: must not be given after `--`, as a restarted job would add its trials "
            f"again, but got {arguments.extend}; give the number of all trials as --trials"
        )
    fixed = {
        "address": "--address",
        "no_token": "--no-token",
        "resume": "--resume",
        "dry_run": "--dry-run",
    }
    given = [option for field, option in fixed.items() if getattr(arguments, field)]
    given += ["--print-schema"] if getattr(arguments, "print_schema", False) else []
    if given:
        raise InputError(
            f"{given[0]}: must not be given after `--`, but got {', '.join(given)}; the address "
            "and, once the study's folder exists, --resume are added; the cluster always has a "
            "token, and plans need no cluster"
        )


def job_name(name: str) -> str:
    """Returns a name that Slurm, Kubernetes and `ray up` accept: lower case, words joined by -.

    Raises:
        InputError: the name has no letter or digit.
    """
    joined = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:47].strip("-")
    if not joined:
        raise InputError(
            f"--job-name: must have letters or digits, but got {name!r}; choose another"
        )
    return joined


def render(template: str, **values: Any) -> str:
    """Returns a template of this folder, rendered with `values`.

    Templates may use the filters `sh` (quotes a word for a shell) and `yaml` (a YAML string).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Not HTML; every value is quoted by a filter, or checked.
        undefined=StrictUndefined,
        comment_start_string="{%#",  # {# is bash's.
        comment_end_string="#%}",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["sh"] = lambda value: shlex.quote(str(value))
    environment.filters["yaml"] = lambda value: json.dumps(str(value), ensure_ascii=False)
    return environment.get_template(template).render(values)
