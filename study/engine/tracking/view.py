"""Reads the runs of a study in MLflow, without changing them."""

from dataclasses import dataclass
from typing import Any

from study.engine.tracking.client import open_client
from study.engine.tracking.runs import TRIAL_TAG, search_runs
from study.engine.tracking.subject import FIRST_EXPERIMENT


@dataclass(frozen=True)
class TrackedRun:
    """One MLflow run; `trial` is None for the parent run of the study."""

    run_id: str
    trial: int | None
    status: str
    reports: int
    """The number of logged reports."""
    winner: str | None
    """The parent's tag."""


def tracked_runs(uri: str, key: str, experiment_name: str = FIRST_EXPERIMENT) -> list[TrackedRun]:
    """Returns the runs of the study with this key, in the order of their start.

    May raise one of `server_errors`.
    """
    client = open_client(uri)
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return []
    runs = search_runs(client, experiment.experiment_id, key)
    return [_tracked(run) for run in sorted(runs, key=lambda run: run.info.start_time)]


def server_errors() -> tuple[type[Exception], ...]:
    """Returns the exceptions of a broken server, connection or database."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError)


def _tracked(run: Any) -> TrackedRun:
    info, data = run.info, run.data
    trial = data.tags.get(TRIAL_TAG)
    return TrackedRun(
        run_id=str(info.run_id),
        trial=None if trial is None else int(trial),
        status=str(info.status),
        reports=int(data.metrics.get("report", 0)),
        winner=data.tags.get("winner"),
    )
