"""What MLflow holds of a study, for whoever only wants to look."""

from dataclasses import dataclass
from typing import Any

from study.engine.tracking.runs import EXPERIMENT, STUDY_TAG, TRIAL_TAG, open_client


@dataclass(frozen=True)
class TrackedRun:
    """One run; `trial` is None of the study's own, the parent of the others."""

    run_id: str
    trial: int | None
    status: str
    reports: int
    """How many reports were logged."""
    winner: str | None
    """The parent's tag."""


def tracked_runs(uri: str, key: str) -> list[TrackedRun]:
    """Returns the runs of the study with this key, in the order in which they began.

    May raise one of `server_errors`.
    """
    client = open_client(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs: list[TrackedRun] = []
    token = None if experiment is not None else ""
    while token != "":
        page = client.search_runs(
            [experiment.experiment_id],
            f"tags.`{STUDY_TAG}` = '{key}'",
            order_by=["attributes.start_time ASC"],
            max_results=1000,
            page_token=token,
        )
        runs += [_tracked(run) for run in page]
        token = page.token or ""
    return runs


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
