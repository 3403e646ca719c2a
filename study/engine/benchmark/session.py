"""One session of the driver over a benchmark: from the checked input to results.csv."""

from collections.abc import Sequence
from dataclasses import dataclass

from ray import tune

from study.engine.benchmark.inputs import BenchmarkInputs, prepare_inputs
from study.engine.benchmark.results import OBJECTIVE, write_results
from study.engine.benchmark.runs import BenchmarkRun, changes_of_benchmark, runs_of
from study.engine.benchmark.scheduling import BenchmarkPlanner, BenchmarkSearcher
from study.engine.benchmark.worker import RunWorker
from study.engine.checkpoints import discard
from study.engine.cluster import ClusterCapacity, running_ray
from study.engine.console.display import Display
from study.engine.console.lines import print_lines
from study.engine.console.progress import Progress
from study.engine.driver import MLFLOW_STATUS, SessionStatus, record_start, session_status
from study.engine.nodes import alive, check_nodes
from study.engine.resources import Resources, resources
from study.engine.scheduling.runs import RunRecorder
from study.engine.tracking.address import tracking_address
from study.engine.tracking.subject import experiment_name, of_benchmark
from study.engine.tracking.tracker import Tracker
from study.engine.tuning import fit
from study.errors import InputError
from study.spec.benchmark.loading import Benchmark, dump_benchmark
from study.storage.events import DataRead, Event, TrialEnded
from study.storage.ledger import Ledger
from study.storage.live.building import runs_snapshot
from study.storage.opening import locked, open_folder, refuse_changes
from study.storage.record import StudyRecord
from study.storage.runs import Key, key_of, unfinished_runs
from study.storage.stored import StoredStudy

Shares = dict[Key, Resources]


def run_benchmark(
    stored: StoredStudy,
    benchmark: Benchmark,
    address: str | None,
    tracking_uri: str | None,
    display: Display,
) -> SessionStatus:
    """Runs or resumes the benchmark in a folder, read as `stored`.

    Raises:
        InputError: no run is available, or settings and data do not fit each other.
    """
    folder = stored.folder
    tracking_uri = tracking_address(stored, tracking_uri)
    runs = runs_of(benchmark)
    display.phase("starting Ray" if address is None else f"joining the cluster at {address}")
    with running_ray(address, store_bytes=None):  # There are many tokenised tasks.
        if address is not None:
            check_nodes(folder.path)
        # Resources that no node has are reported before anything is read.
        nodes = alive()
        trial_resources = {key_of(run): resources(run.spec, nodes) for run in runs}
        display.phase("reading the data and the backbones")
        inputs = prepare_inputs(runs, lambda line: print_lines(display.console, [line]))
        available = [run for run in runs if inputs.lacking(run) is None]
        if not available:
            raise InputError(
                f"{folder.path}: weights and data of one run at least must be available, but got "
                f"{inputs.lacking(runs[0])}"
            )
        if address is not None:
            check_nodes(folder.path, inputs.backbones())
        with locked(folder):
            stored = stored.current()
            if folder.spec.exists():  # Another driver may have come first.
                refuse_changes(folder.path, changes_of_benchmark(benchmark)(stored))
            open_folder(folder.path, dump_benchmark(benchmark.spec), replace=True)
            ledger = _open_ledger(stored, inputs, runs, tracking_uri)
            tracker = Tracker(ledger, tracking_uri, of_benchmark(ledger))
            driver = _Driver(ledger, tracker, inputs, runs, available, trial_resources, display)
            with tracker.ending(ledger.record):
                return driver.run()


def _open_ledger(
    stored: StoredStudy,
    inputs: BenchmarkInputs,
    runs: Sequence[BenchmarkRun],
    tracking_uri: str | None,
) -> Ledger:
    ledger = Ledger(stored.folder, OBJECTIVE, stored)
    experiment = experiment_name(runs[0].spec, "benchmarks")  # They have several tasks.
    record_start(ledger, tracking_uri, {"experiment": experiment})
    _check_data(stored, inputs)
    lacking = {run.cell.named: inputs.lacking(run) for run in runs}
    ledger.append(
        DataRead(
            tasks=list(inputs.facts.values()),
            unavailable={name: reason for name, reason in lacking.items() if reason is not None},
        )
    )
    return ledger


def _check_data(stored: StoredStudy, inputs: BenchmarkInputs) -> None:
    """Checks that data and weights are those of earlier sessions.

    Raises:
        InputError: they have changed.
    """
    now = {facts.key: facts for facts in inputs.facts.values()}
    for event in stored.events:
        for before in event.tasks if isinstance(event, DataRead) else ():
            facts = now.get(before.key, before)
            if facts.fingerprint != before.fingerprint:
                raise InputError(
                    f"{stored.folder.path}: must be resumed with the data that the benchmark was "
                    f"started with, but got other sequences, labels or tokens of {before.task} "
                    f"for {before.backbone}; restore them, or start a benchmark with another "
                    "--name"
                )
            if before.weights and facts.weights not in (None, before.weights):
                raise InputError(
                    f"{stored.folder.path}: must be resumed with the weights that the benchmark "
                    f"was started with, but got another config.json or other weights of "
                    f"{before.backbone}; restore them, or start a benchmark with another --name"
                )


@dataclass
class _Driver:
    """The objects of one session of the driver."""

    ledger: Ledger
    tracker: Tracker
    inputs: BenchmarkInputs
    runs: Sequence[BenchmarkRun]
    available: Sequence[BenchmarkRun]
    trial_resources: Shares
    display: Display

    def run(self) -> SessionStatus:
        """Runs the remaining runs; writes results.csv before and after."""
        self.tracker.update(self.ledger.record)
        self._write()
        gave_up = self._fit() if unfinished_runs(self.available, self.ledger.record) else ""
        self._write()
        ended = (
            SessionStatus.FAILED if gave_up else session_status(self.available, self.ledger.record)
        )
        if gave_up:
            print_lines(self.display.end, [f"the benchmark could not finish: {gave_up}"])
        self.tracker.close(self.ledger.record, MLFLOW_STATUS[ended])
        return ended

    def _update_folder(self, event: Event, record: StudyRecord) -> None:
        """Deletes the checkpoint of an ended run and writes results.csv."""
        if isinstance(event, TrialEnded):
            discard(self.ledger.folder, event.trial)
            self._write()

    def _write(self) -> None:
        lacking = self.inputs.lacking
        write_results(self.ledger.folder, self.runs, self.ledger.record, lacking)

    def _fit(self) -> str:
        """Runs Ray Tune; returns why it gave up, "" if it did not."""
        concurrent = max(share.concurrent for share in self.trial_resources.values())
        planner = BenchmarkPlanner(self.inputs.train_rows)
        shares = [
            (self.trial_resources[key_of(run)], run.spec.resources.max_concurrent)
            for run in self.runs
        ]
        searcher = BenchmarkSearcher(
            self.ledger,
            self.runs,
            self.available,
            planner,
            self.trial_resources,
            ClusterCapacity(shares),
        )
        recorder = RunRecorder(
            self.ledger, min(run.spec.resources.max_failures for run in self.runs)
        )
        progress = Progress(
            self.display.console,
            lambda now: runs_snapshot(
                "benchmark",
                self.ledger.folder.path.name,
                self.ledger.record,
                len(self.available),
                now,
                concurrent,
            ),
        )
        self.ledger.listeners = [progress, self.tracker, self._update_folder]
        self.ledger.listeners += self.display.listeners
        worker = tune.with_parameters(
            RunWorker,
            runs=list(self.runs),
            inputs=self.inputs,
            folder=self.ledger.folder,
            objective=OBJECTIVE,
        )
        with progress:
            fit(
                tune.with_resources(worker, _share),
                searcher,
                recorder,
                self.ledger,
                self.runs[0].spec.resources.stall_minutes,
            )
        return searcher.gave_up


def _share(config: dict[str, float]) -> tune.PlacementGroupFactory:
    return tune.PlacementGroupFactory([{"CPU": config["cpus"], "GPU": config["gpus"]}])
