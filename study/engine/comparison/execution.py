"""Replicates in a folder, run inside a Ray that has been started: whatever a source wants."""

from dataclasses import dataclass

from ray import tune
from rich.console import Console

from study.engine.checkpoints import discard
from study.engine.cluster import ClusterCapacity
from study.engine.comparison.outputs import write_labels
from study.engine.comparison.results import write_results
from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.scheduling import ComparisonSearcher, Splits
from study.engine.comparison.shared_prefixes import SharedPrefixes
from study.engine.comparison.worker import ComparisonWorker
from study.engine.console.progress import Progress
from study.engine.driver import check_data, known_of, note_start
from study.engine.resources import Resources
from study.engine.scheduling.runs import RunRecorder
from study.engine.tracking.tracker import Tracker
from study.engine.tuning import fit
from study.models.info import BackboneInfo
from study.spec.comparison.schema import FACTORS
from study.storage.events import Event, TrialEnded
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.opening import open_folder
from study.storage.record import StudyRecord
from study.storage.runs import Source, left_to_do
from study.training.encoding import EncodedTask

COLUMNS = ("configuration", *FACTORS)


@dataclass(frozen=True)
class RunContext:
    """What all replicates of a folder have in common."""

    info: BackboneInfo
    """Portable, where there are other nodes."""
    data: EncodedTask
    wanted: Resources
    """What one run gets."""
    splits: Splits


def open_comparison(
    folder: StudyFolder,
    spec: str,
    metric: str,
    info: BackboneInfo,
    data: EncodedTask,
    tracking_uri: str | None,
) -> Ledger:
    """Opens or takes up a comparison folder, which the caller holds, and journals that.

    `spec` is the text of spec.yaml, `metric` what decides, as dev_mcc.

    Raises:
        InputError: it was begun with other data.
    """
    check_data(folder, data)
    open_folder(folder.path, spec, replace=True)
    ledger = Ledger(folder, metric)
    note_start(ledger, tracking_uri, known_of(info, data))
    write_labels(folder, data)
    return ledger


def execute_runs(
    ledger: Ledger,
    source: Source[ComparisonRun],
    shared: RunContext,
    tracker: Tracker,
    console: Console,
    runs: int,
) -> str:
    """Runs what `source` wants until it wants no more; returns why it gave up, "" if it did not.

    After an interruption some replicates of the record are still running: they go on; those that
    crashed are tried again. Results and outputs are on disk before the end of a run is journalled
    as such, or follow from the journal. `runs` is how many there will be, for the live table.
    """
    tracker.update(ledger.record)
    tidy = _Tidy(ledger, source, len(shared.data.train))
    gave_up = ""
    if left_to_do(source(ledger.record), ledger.record):
        progress = Progress(
            console,
            metric=ledger.metric,
            columns=COLUMNS,
            trials=runs,
            concurrent=shared.wanted.concurrent,
            maximize=None,
        )
        ledger.listeners = [progress, tracker, tidy]
        with progress:
            gave_up = _fit(ledger, source, shared, tidy.prefixes)
        ledger.listeners = []
    tidy.write()
    return gave_up


def _fit(
    ledger: Ledger, source: Source[ComparisonRun], shared: RunContext, prefixes: SharedPrefixes
) -> str:
    spec, wanted = source(ledger.record)[0].spec, shared.wanted
    capacity = ClusterCapacity([(wanted, spec.resources.max_concurrent)])
    searcher = ComparisonSearcher(ledger, source, prefixes, shared.splits, capacity)
    worker = tune.with_parameters(
        ComparisonWorker,
        spec=spec,
        info=shared.info,
        data=shared.data,
        folder=ledger.folder,
        wanted=wanted,
        final_budget_reports=(),
    )
    fit(
        tune.with_resources(worker, {"cpu": wanted.cpus, "gpu": wanted.gpus}),
        searcher,
        RunRecorder(ledger, spec.resources.max_failures),
        ledger,
    )
    return searcher.gave_up


class _Tidy:
    """After every end: results.csv, and what no run needs any more."""

    def __init__(self, ledger: Ledger, source: Source[ComparisonRun], train_rows: int) -> None:
        self.ledger, self.source = ledger, source
        self.prefixes = SharedPrefixes(ledger.folder, train_rows)
        for trial in ledger.record.trials.values():  # A driver may have died before it came to it.
            if trial.state != "running":
                discard(ledger.folder, trial.number)
        self.write()

    def __call__(self, event: Event, record: StudyRecord) -> None:
        if isinstance(event, TrialEnded):
            discard(self.ledger.folder, event.trial)
            self.write()

    def write(self) -> None:
        """Writes results.csv; deletes the beginnings that no run will go on from."""
        record = self.ledger.record
        wanted = self.source(record)
        self.prefixes.discard_unneeded(wanted, record)
        write_results(self.ledger.folder, wanted, record, self.ledger.metric)


def savings(record: StudyRecord) -> dict[str, float]:
    """Returns the steps and seconds of training that shared beginnings have saved so far."""
    trials = record.trials.values()
    return {
        name: sum(trial.metrics.get(f"shared_{name}") or 0 for trial in trials)
        for name in ("steps", "seconds")
    }
