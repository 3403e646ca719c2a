"""What the commands share.

Map:

    extra.py    the packages that commands need
    running.py  exit statuses, expected errors as one line each, closed pipes, how to resume
    parser.py   the parser of all commands: help with examples, what was probably meant
    options.py  options of study.run and study.benchmark, and those that others share
"""

import study.cli.extra  # noqa: F401  # Before what needs these packages.
from study.cli.options import (
    STORAGE_HELP,
    add_plan,
    add_services,
    overrides,
    parse_benchmark,
    parse_study,
    study_path,
)
from study.cli.parser import HelpWithDefaults, Parser, called_as, path_option, path_text
from study.cli.running import (
    BAD_INPUT,
    COULD_NOT_FINISH,
    DONE,
    INTERRUPTED,
    UNDECIDED,
    exit_with,
    report_interrupted,
    run_command,
)

__all__ = [
    "BAD_INPUT",
    "COULD_NOT_FINISH",
    "DONE",
    "INTERRUPTED",
    "STORAGE_HELP",
    "UNDECIDED",
    "HelpWithDefaults",
    "Parser",
    "add_plan",
    "add_services",
    "called_as",
    "exit_with",
    "overrides",
    "parse_benchmark",
    "parse_study",
    "path_option",
    "path_text",
    "report_interrupted",
    "run_command",
    "study_path",
]
