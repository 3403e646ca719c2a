"""What the runs of a folder are of: names of experiment and runs, and what all runs share."""

import getpass
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import study
from study.engine.console.lines import format_value
from study.spec import StudySpec, method_label
from study.storage.ledger import Ledger, StudyLedger
from study.storage.record import StudyRecord, TrialRecord

FIRST_EXPERIMENT = "adalora-rs-study"
"""The experiment of studies of earlier versions, whose journals do not name one."""
VARIABLE = "MLFLOW_EXPERIMENT_NAME"
"""MLflow's variable for the name of an experiment; a new study without another name uses it."""
LONGEST_NAME = 100
"""Characters of the name of a run."""


@dataclass(frozen=True)
class Subject:
    """A study, race, comparison or benchmark as MLflow shows it."""

    name: str
    """Of the parent run."""
    experiment: str = FIRST_EXPERIMENT
    shared: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> value of all runs: backbone, task, method."""
    run_name: Callable[[TrialRecord], str] = lambda trial: f"trial {trial.number}"
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of the parent run: source, versions."""
    began: float | None = None
    """Seconds since the epoch."""


def experiment_name(spec: StudySpec, default: str = "") -> str:
    """Returns the experiment of a new study: the spec's, the variable's, or one for its task."""
    given = spec.tracking.experiment or os.environ.get(VARIABLE)
    return given or f"adalora-rs/{default or spec.task.label}"


def experiment_of(record: StudyRecord) -> str:
    """Returns the experiment that a study was started in."""
    return (record.opened and record.opened.experiment) or FIRST_EXPERIMENT


def of_study(ledger: StudyLedger) -> Subject:
    """Returns a study: its trials are named by number and settings."""
    spec = ledger.spec
    shared = {**_shared(spec), "method": method_label(spec.adapter)}
    return _subject(ledger.folder.path.name, ledger.record, shared, _trial_name)


def of_race(study: StudyLedger, race: Ledger) -> Subject:
    """Returns the race of a study: its runs are named by trial and seed."""
    spec, name = study.spec, f"{study.folder.path.name}: race of the finalists"
    shared = {**_shared(spec), "method": method_label(spec.adapter)}
    return _subject(name, race.record, shared, _race_run_name)


def of_comparison(ledger: Ledger, spec: StudySpec) -> Subject:
    """Returns a comparison; `spec` is that of any of its configurations."""
    return _subject(ledger.folder.path.name, ledger.record, _shared(spec), _comparison_run_name)


def of_benchmark(ledger: Ledger) -> Subject:
    """Returns a benchmark."""
    return _subject(ledger.folder.path.name, ledger.record, {}, _benchmark_run_name)


def _subject(
    name: str,
    record: StudyRecord,
    shared: Mapping[str, str],
    run_name: Callable[[TrialRecord], str],
) -> Subject:
    tags = _source(record)
    return Subject(name, experiment_of(record), shared, run_name, tags, record.began)


def _shared(spec: StudySpec) -> dict[str, str]:
    return {"backbone": spec.backbone.name, "task": spec.task.label}


# Names of runs


def _trial_name(trial: TrialRecord) -> str:
    settings = ", ".join(f"{k}={format_value(v)}" for k, v in trial.settings.items())
    return f"trial {trial.number}: {settings}"[:LONGEST_NAME].rstrip(": ")


def _race_run_name(run: TrialRecord) -> str:
    trial = str(run.labels.get("configuration", "")).replace("-", " ")
    seeds = sorted(set(run.seeds.values()))
    text = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return f"race: {trial}, {text}"


def _comparison_run_name(run: TrialRecord) -> str:
    labels = dict(run.labels)
    name = labels.pop("configuration", "")
    factors = ", ".join(f"{k} {v}" for k, v in labels.items() if v is not None)
    return f"{name}: {factors}"


def _benchmark_run_name(run: TrialRecord) -> str:
    labels = {**run.labels}
    seed = labels.pop("seed", None)
    parts = [str(label) for label in labels.values() if label]
    return ", ".join([*parts, *([] if seed is None else [f"seed {seed}"])])


# Where the numbers come from


def _source(record: StudyRecord) -> dict[str, str]:
    """Returns tags: program, user, versions, and the commit of this package's checkout."""
    versions = (record.opened and record.opened.created_with) or {}
    tags = {
        "mlflow.source.name": f"python -m {_command()}",
        "mlflow.source.type": "LOCAL",
        **{f"version.{name}": version for name, version in versions.items()},
    }
    commit = _commit(Path(study.__file__).parent.parent)
    return tags | _user() | ({"mlflow.source.git.commit": commit} if commit else {})


def _command() -> str:
    """Returns the module that was started, as study.run."""
    file = Path(sys.argv[0])
    name = file.parent.name if file.stem == "__main__" else file.stem
    return f"study.{name}"


def _user() -> dict[str, str]:
    try:
        return {"mlflow.user": getpass.getuser()}
    except (OSError, KeyError):  # A container may run as a user without a name.
        return {}


def _commit(checkout: Path) -> str:
    """Returns the commit of a git checkout; empty if the folder is none."""
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
