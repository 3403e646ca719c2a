"""What is launched: a study or benchmark by its command line, and the text that launches it."""

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
    """A command line that is ready but for the address of the cluster and `--resume`."""

    command: str
    """The study's module and arguments, quoted for a shell."""
    study: Path
    """The folder of the study: once it is there, the same command goes on with `--resume`."""
    name: str
    """Of the job."""


def launch(
    arguments: Sequence[str], *, benchmark: bool, read_space: bool, name: str | None
) -> Launch:
    """Reads the arguments of a study, or of a benchmark, as that command itself would.

    `read_space` reads the space too: where the job sees the files that are seen here.

    Raises:
        InputError: they cannot be run unattended on a cluster.
        SystemExit: the command does not know them; its usage has been printed.
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
            f"--storage {arguments.storage}: it must be an absolute path, of a folder that all "
            "nodes share; give it behind `--`, with the study's arguments"
        )
    if getattr(arguments, "extend", None) is not None:  # Of a study alone; it implies --resume.
        raise InputError(
            "--extend: must not be given behind `--`, as a job that is started again would add "
            "its trials again; give the number of all trials as --trials"
        )
    fixed = {"address": "--address", "resume": "--resume", "dry_run": "--dry-run"}
    given = [option for field, option in fixed.items() if getattr(arguments, field)]
    if given or getattr(arguments, "print_schema", False):
        raise InputError(
            f"{', '.join(given) or '--print-schema'}: must not be given behind `--`; the address "
            "and, once the study's folder is there, --resume are added, and plans need no cluster"
        )


def job_name(name: str) -> str:
    """Returns a name that Slurm, Kubernetes and `ray up` all take: lower case, words joined by -.

    Raises:
        InputError: no letter or digit is left of it.
    """
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:47].strip("-")
    if not found:
        raise InputError(f"--job-name: it must have letters or digits, found {name!r}")
    return found


def render(template: str, **values: Any) -> str:
    """Returns a template of this folder with its values filled in.

    Templates may use the filters `sh` (a word of a shell) and `yaml` (a YAML string).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # No HTML; every value is quoted by a filter, or checked.
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
