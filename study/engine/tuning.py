"""Runs Ray's Tuner with searcher, scheduler, workers, tracking and the live table."""

from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from study.engine.checkpoints import discard, discard_partial
from study.engine.cluster import ClusterCapacity
from study.engine.console.display import Display
from study.engine.console.progress import Progress
from study.engine.resources import Resources
from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.optuna_file import OptunaJournal
from study.engine.scheduling.rungs import final_budget_reports
from study.engine.scheduling.search import OptunaSearcher
from study.engine.stalls import StallWatch
from study.engine.tracking.tensorboard import TensorBoardFiles
from study.engine.tracking.tracker import Tracker
from study.engine.worker import TrialWorker
from study.models.info import BackboneInfo
from study.spec import StudySpec
from study.storage.events import Event, TrialEnded
from study.storage.ledger import Ledger, StudyLedger
from study.storage.live.building import study_snapshot
from study.storage.record import StudyRecord
from study.training.encoding import EncodedTask
from study.training.plan import make_plan


def run_trials(
    ledger: StudyLedger,
    info: BackboneInfo,
    data: EncodedTask,
    tracker: Tracker,
    display: Display,
    trial_resources: Resources,
) -> str:
    """Runs the remaining trials of a study; returns why it gave up, "" if it did not.

    After an interruption some trials of the record are still `running`.
    """
    tracker.update(ledger.record)
    scheduler = AshaScheduler(ledger)
    spec = ledger.spec
    capacity = ClusterCapacity([(trial_resources, spec.resources.max_concurrent)])
    searcher = OptunaSearcher(ledger, _Planner(len(data.train)), capacity)
    progress = Progress(
        display.console,
        lambda now: study_snapshot(
            ledger.folder.path.name, spec, ledger.record, None, now, trial_resources.concurrent
        ),
    )
    ledger.listeners = [progress, tracker, _Checkpoints(ledger), OptunaJournal(ledger)]
    if ledger.folder.tensorboard.is_dir():
        ledger.listeners.append(TensorBoardFiles(ledger))
    ledger.listeners += display.listeners
    worker = tune.with_parameters(
        TrialWorker,
        spec=spec,
        info=info,
        data=data,
        folder=ledger.folder,
        trial_resources=trial_resources,
        final_budget_reports=final_budget_reports(spec),
    )
    resources = {"cpu": trial_resources.cpus, "gpu": trial_resources.gpus}
    with progress:
        stall_minutes = spec.resources.stall_minutes
        fit(tune.with_resources(worker, resources), searcher, scheduler, ledger, stall_minutes)
    return searcher.gave_up


def fit(
    worker: Any,
    searcher: Searcher,
    scheduler: TrialScheduler,
    ledger: Ledger,
    stall_minutes: float | None = None,
) -> None:
    """Runs the suggestions of `searcher` with Ray Tune until there are no more.

    A worker without a sign of life for `stall_minutes` is killed; see `study.storage.stalls`.

    Raises:
        OSError: the study folder could not be written.
    """
    ray_folder = ledger.folder.ray
    watch = StallWatch(ledger, stall_minutes)
    ledger.listeners.append(watch)
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
            callbacks=[watch],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except Exception:
        if ledger.broken is None:
            raise
    if ledger.broken is not None:  # Ray wraps or swallows exceptions of callbacks.
        raise ledger.broken


@dataclass(frozen=True)
class _Planner:
    """Resolved spec -> (optimizer steps, reports); a class, as Ray pickles it."""

    train_rows: int

    def __call__(self, resolved: StudySpec) -> tuple[int, int]:
        plan = make_plan(resolved, self.train_rows, matrices=1)
        return plan.total_steps, len(plan.report_steps)


def discard_unneeded(ledger: StudyLedger) -> None:
    """Deletes partial files, and the checkpoints of ended trials that are not needed any more.

    Must not be called while workers are running.
    """
    discard_partial(ledger.folder)
    kept = ledger.needed
    for trial in ledger.record.in_state("complete", "pruned", "failed"):
        if trial.number not in kept:
            discard(ledger.folder, trial.number)


class _Checkpoints:
    """A listener that deletes the checkpoints of ended trials that are not needed any more."""

    def __init__(self, ledger: StudyLedger) -> None:
        self.ledger = ledger
        self._needed = ledger.needed
        discard_unneeded(ledger)  # An earlier driver may have died before it did.

    def __call__(self, event: Event, record: StudyRecord) -> None:
        if not isinstance(event, TrialEnded):
            return
        before, self._needed = self._needed, self.ledger.needed
        for number in (before | {event.trial}) - self._needed:
            discard(self.ledger.folder, number)


def _trial_dirname(trial: Any) -> str:
    return f"trial-{trial.config['trial']:05d}"
