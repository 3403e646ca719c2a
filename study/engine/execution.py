"""The Tuner that ties searcher, scheduler, workers and tracking together."""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from rich.console import Console

from study.engine.checkpoints import discard, discard_partial
from study.engine.dispatch import ClusterCapacity
from study.engine.journal import Event
from study.engine.ledger import Ledger, StudyLedger
from study.engine.progress import Progress
from study.engine.record import StudyRecord, TrialRecord
from study.engine.resources import Resources
from study.engine.search import OptunaSearcher
from study.engine.stopping import Scheduler, compared_at
from study.engine.tracking import Tracker
from study.engine.worker import TrialWorker
from study.errors import InputError
from study.models.inspect import BackboneInfo
from study.spec import StudySpec
from study.spec.space import trials_wanted
from study.training.encoded import EncodedTask
from study.training.plan import make_plan

# What Ray Tune prints, logs and saves on its own would repeat the journal and the live table.
RAY_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    # The searcher itself hands out no more than fit.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LOCAL_HEAD = {
    # One that has died does not come back: the driver ends, to be resumed.
    "gcs_rpc_server_reconnect_timeout_s": 10,
    # One that is slow to answer, on a machine with much else to do, is not dead.
    "health_check_failure_threshold": 100,
}
OBJECT_STORE_BYTES = 512 * 2**20
"""Shared memory of a local Ray: the tokenised data of one task is all that goes through it."""


def start_ray(address: str | None, store_bytes: int | None = OBJECT_STORE_BYTES) -> None:
    """Joins the cluster at `address`, or starts a local one without a dashboard.

    The ports of a local one ask for a token, as Ray has it. `store_bytes` is the size of its
    object store; None leaves that to Ray.

    Raises:
        InputError: there is no cluster at `address`, or one with other versions.
    """
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    _connect(address, store_bytes)
    # Slurm and Kubernetes end a job by SIGTERM; Ray's own handler would end in a stack trace.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))


def _connect(address: str | None, store_bytes: int | None) -> None:
    common = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        # "local" keeps Ray from joining a cluster that happens to run on this machine.
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=store_bytes,
            _system_config=LOCAL_HEAD,
            **common,
        )
        return
    try:
        ray.init(address=address, **common)
    except (ConnectionError, ValueError) as error:
        raise InputError(
            f"--address {address}: a Ray cluster must answer there, but: "
            f"{str(error).splitlines()[0]}; start one with `ray start --head`, give its "
            "RAY_AUTH_TOKEN if it has one, or leave --address out to run on this machine"
        ) from None
    except RuntimeError as error:
        found = " ".join(str(error).split())
        if not found.startswith("Version mismatch"):
            raise
        raise InputError(
            f"--address {address}: Ray and Python must have the same versions there and here, but "
            f"{found}; run the study with the Python that started Ray"
        ) from None


def run_trials(
    ledger: StudyLedger,
    info: BackboneInfo,
    data: EncodedTask,
    tracker: Tracker,
    console: Console,
    wanted: Resources,
) -> str:
    """Runs what is left of a study's trials; returns why it gave up, "" if it did not.

    After an interruption some trials of the record are still running.
    """
    tracker(OPENED, ledger.record)
    scheduler = Scheduler(ledger)
    spec = ledger.spec
    capacity = ClusterCapacity([(wanted, spec.resources.max_concurrent)])
    searcher = OptunaSearcher(ledger, _Planner(len(data.train)), capacity)
    progress = Progress(
        console,
        metric=ledger.metric,
        columns=tuple(spec.domains),
        trials=trials_wanted(spec),
        concurrent=wanted.concurrent,
        maximize=ledger.maximize,
        constraints=ledger.goals.constraints,
    )
    ledger.listeners = [progress, tracker, _Checkpoints(ledger)]
    worker = tune.with_parameters(
        TrialWorker,
        spec=spec,
        info=info,
        data=data,
        folder=ledger.folder,
        wanted=wanted,
        compared_at=compared_at(spec),
    )
    resources = {"cpu": wanted.cpus, "gpu": wanted.gpus}
    with progress:
        fit(tune.with_resources(worker, resources), searcher, scheduler, ledger)
    return searcher.gave_up


def fit(
    worker: Any,
    searcher: Searcher,
    scheduler: TrialScheduler,
    ledger: Ledger,
) -> None:
    """Lets Ray Tune run what `searcher` suggests until it has no more.

    Raises:
        OSError: the study folder could not be written.
    """
    ray_folder = ledger.folder.ray
    tuner = tune.Tuner(
        worker,
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=searcher,
            scheduler=scheduler,
            reuse_actors=True,
            trial_dirname_creator=_trial_dirname,
        ),
        run_config=tune.RunConfig(
            name=f"session-{len(list(ray_folder.iterdir())):03d}",
            storage_path=str(ray_folder),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except Exception:
        if ledger.broken is None:
            raise
    if ledger.broken is not None:  # Ray wraps or swallows what its callbacks raise.
        raise ledger.broken


OPENED: Event = {"event": "opened"}
"""What a tracker is told first, before anything happens."""


@dataclass(frozen=True)
class _Planner:
    """Resolved spec -> (optimizer steps, reports); picklable, as Ray wants."""

    train_rows: int

    def __call__(self, resolved: StudySpec) -> tuple[int, int]:
        plan = make_plan(resolved, self.train_rows, matrices=1)
        return plan.total_steps, len(plan.report_steps)


def discard_unneeded(ledger: StudyLedger) -> None:
    """Deletes the checkpoints of all trials that have ended, but the finalists'.

    No worker is at work, so what is half written stays so, and goes as well.
    """
    discard_partial(ledger.folder)
    finalists = _numbers(ledger.finalists())
    for trial in ledger.record.in_state("complete", "pruned", "failed"):
        if trial.number not in finalists:
            discard(ledger.folder, trial.number)


class _Checkpoints:
    """Deletes the checkpoints that nothing needs: ended trials' that are no finalists."""

    def __init__(self, ledger: StudyLedger) -> None:
        self.ledger = ledger
        self._finalists = _numbers(ledger.finalists())
        discard_unneeded(ledger)  # A driver may have died before it came to that.

    def __call__(self, event: Event, record: StudyRecord) -> None:
        if event["event"] != "ended":
            return
        before, self._finalists = self._finalists, _numbers(self.ledger.finalists())
        for number in (before | {event["trial"]}) - self._finalists:
            discard(self.ledger.folder, number)


def _numbers(trials: Iterable[TrialRecord]) -> set[int]:
    return {trial.number for trial in trials}


def _trial_dirname(trial: Any) -> str:
    return f"trial-{trial.config['trial']:05d}"
