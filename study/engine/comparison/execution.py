"""Executes the runs of a comparison folder in a Ray that has been started."""

from dataclasses import dataclass

from ray import tune

from study.engine.checkpoints import discard
from study.engine.cluster import ClusterCapacity
from study.engine.comparison.outputs import write_labels
from study.engine.comparison.results import write_results
from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.scheduling import ComparisonSearcher, Keeps, Splits
from study.engine.comparison.shared_prefixes import SharedPrefixes
from study.engine.comparison.worker import ComparisonWorker
from study.engine.console.display import Display
from study.engine.console.progress import Look, Progress
from study.engine.driver import check_data, input_facts, record_start
from study.engine.resources import Resources
from study.engine.scheduling.runs import RunRecorder
from study.engine.tracking.tracker import Tracker
from study.engine.tuning import fit
from study.models.info import BackboneInfo
from study.storage.events import Event, TrialEnded
from study.storage.ledger import Ledger
from study.storage.opening import open_folder
from study.storage.record import StudyRecord
from study.storage.runs import Source, unfinished_runs
from study.storage.stored import StoredStudy
from study.training.encoding import EncodedTask


@dataclass(frozen=True)
class RunContext:
    """The inputs that all runs of a folder share."""

    info: BackboneInfo
    """Usable on every node of the cluster."""
    data: EncodedTask
    resources: Resources
    """Resources of one run."""
    splits: Splits
    keeps: Keeps = lambda run: False


def open_comparison(
    stored: StoredStudy,
    spec: str,
    metric: str,
    info: BackboneInfo,
    data: EncodedTask,
    tracking_uri: str | None,
    experiment: str,
) -> Ledger:
    """Creates or resumes a comparison folder, and records the start in the journal.

    The caller must have locked the folder.

    Args:
        stored: the comparison folder as read from disk; new or existing.
        spec: text of spec.yaml.
        metric: the objective, e.g. dev_mcc.
        info: the backbone.
        data: the tokenised task.
        tracking_uri: address of MLflow.
        experiment: of a new folder in MLflow.

    Raises:
        InputError: the folder was created with other data.
    """
    check_data(stored, data)
    open_folder(stored.folder.path, spec, replace=True)
    ledger = Ledger(stored.folder, metric, stored)
    record_start(ledger, tracking_uri, input_facts(info, data, experiment))
    write_labels(stored.folder, data)
    return ledger


def execute_runs(
    ledger: Ledger,
    source: Source[ComparisonRun],
    context: RunContext,
    tracker: Tracker,
    display: Display,
    look: Look,
) -> str:
    """Executes the runs of `source` until it has no more.

    Interrupted runs continue from their checkpoints, crashed ones are tried again. Outputs are
    written before the end of a run is journalled; results.csv can be rebuilt from the journal.

    Args:
        ledger: of the folder.
        source: returns the runs that should exist by now.
        context: what all runs share.
        tracker: writes to MLflow.
        display: shows the progress.
        look: returns what is shown.

    Returns:
        Why the searcher gave up; empty if it did not.
    """
    tracker.update(ledger.record)
    updater = _FolderUpdater(ledger, source, len(context.data.train))
    gave_up = ""
    if unfinished_runs(source(ledger.record), ledger.record):
        progress = Progress(display.console, look)
        ledger.listeners = [progress, tracker, updater, *display.listeners]
        with progress:
            gave_up = _fit(ledger, source, context, updater.prefixes)
        ledger.listeners = []
    updater.update()
    return gave_up


def _fit(
    ledger: Ledger, source: Source[ComparisonRun], context: RunContext, prefixes: SharedPrefixes
) -> str:
    spec, share = source(ledger.record)[0].spec, context.resources
    capacity = ClusterCapacity([(share, spec.resources.max_concurrent)])
    searcher = ComparisonSearcher(
        ledger, source, prefixes, context.splits, capacity, context.keeps
    )
    worker = tune.with_parameters(
        ComparisonWorker,
        spec=spec,
        info=context.info,
        data=context.data,
        folder=ledger.folder,
        trial_resources=share,
        final_budget_reports=(),
    )
    fit(
        tune.with_resources(worker, {"cpu": share.cpus, "gpu": share.gpus}),
        searcher,
        RunRecorder(ledger, spec.resources.max_failures),
        ledger,
        spec.resources.stall_minutes,
    )
    return searcher.gave_up


class _FolderUpdater:
    """After the end of every run: writes results.csv, deletes checkpoints and unused prefixes."""

    def __init__(self, ledger: Ledger, source: Source[ComparisonRun], train_rows: int) -> None:
        self.ledger, self.source = ledger, source
        self.prefixes = SharedPrefixes(ledger.folder, train_rows)
        # A driver may have been killed before it did this.
        for trial in ledger.record.trials.values():
            if trial.state != "running":
                discard(ledger.folder, trial.number)
        self.update()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        if isinstance(event, TrialEnded):
            discard(self.ledger.folder, event.trial)
            self.update()

    def update(self) -> None:
        """Writes results.csv; deletes the prefixes that no run will continue from."""
        record = self.ledger.record
        runs = self.source(record)
        self.prefixes.discard_unneeded(runs, record)
        write_results(self.ledger.folder, runs, record, self.ledger.metric)


def savings(record: StudyRecord) -> dict[str, float]:
    """Returns the steps and seconds of training that shared prefixes have saved so far."""
    trials = record.trials.values()
    return {
        name: sum(trial.metrics.get(f"shared_{name}") or 0 for trial in trials)
        for name in ("steps", "seconds")
    }
