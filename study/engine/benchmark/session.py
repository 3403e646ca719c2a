"""One run of the driver over a benchmark: from the checked input to results.csv."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ray
from ray import tune
from rich.console import Console

from study.engine.benchmark.material import Material, gather
from study.engine.benchmark.results import OBJECTIVE, write_results
from study.engine.benchmark.runs import BenchmarkRun, changes_of_benchmark, runs_of
from study.engine.benchmark.scheduling import BenchmarkSearcher, Planner
from study.engine.benchmark.worker import RunWorker
from study.engine.checkpoints import discard
from study.engine.cluster import ClusterCapacity, start_ray
from study.engine.console.progress import Progress
from study.engine.driver import STATUS, Ended, ended_as, note_start
from study.engine.nodes import alive, check_nodes
from study.engine.resources import Resources, resources
from study.engine.scheduling.runs import RunRecorder
from study.engine.tracking.address import tracking_address
from study.engine.tracking.tracker import Tracker
from study.engine.tuning import fit
from study.errors import InputError
from study.spec.benchmark.loading import Benchmark, dump_benchmark
from study.storage.events import DataRead, Event, TrialEnded
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger
from study.storage.opening import locked, open_folder, refuse_changes
from study.storage.record import StudyRecord
from study.storage.runs import Key, key_of, left_to_do

Shares = dict[Key, Resources]
COLUMNS = ("backbone", "task", "method", "seed")


def run_benchmark(
    path: Path, benchmark: Benchmark, address: str | None, tracking_uri: str | None
) -> Ended:
    """Runs a benchmark, or what is left of it, in `path`.

    Raises:
        InputError: nothing of it can be run, or its settings and data do not fit each other.
    """
    console = Console()
    tracking_uri = tracking_address(StudyFolder(path), tracking_uri)
    runs = runs_of(benchmark)
    start_ray(address, store_bytes=None)  # Many tasks, each as many tokenizers see it.
    try:
        if address is not None:
            check_nodes(path)
        # Whatever asks for more than there is is refused before anything is read.
        nodes = alive()
        wanted = {key_of(run): resources(run.spec, nodes) for run in runs}
        material = gather(
            runs, partial(console.print, markup=False, highlight=False, soft_wrap=True)
        )
        available = [run for run in runs if material.lacking(run) is None]
        if not available:
            raise InputError(f"nothing can be run: {material.lacking(runs[0])}")
        if address is not None:
            check_nodes(path, material.backbones())
        folder = StudyFolder(path)
        with locked(folder):
            if folder.spec.exists():  # Another driver may have come first.
                refuse_changes(path, changes_of_benchmark(benchmark)(folder.spec))
            open_folder(path, dump_benchmark(benchmark.spec), replace=True)
            ledger = _open_ledger(folder, material, runs, tracking_uri)
            tracker = Tracker(folder, tracking_uri, path.name)
            driver = _Driver(ledger, tracker, material, runs, available, wanted, console)
            with tracker.ending(ledger.record):
                return driver.run()
    finally:
        ray.shutdown()


def _open_ledger(
    folder: StudyFolder, material: Material, runs: Sequence[BenchmarkRun], tracking_uri: str | None
) -> Ledger:
    ledger = Ledger(folder, OBJECTIVE)
    note_start(ledger, tracking_uri, {})
    _check_data(ledger, material)
    lacking = {run.cell.named: material.lacking(run) for run in runs}
    ledger.append(
        DataRead(
            tasks=list(material.facts.values()),
            unavailable={name: reason for name, reason in lacking.items() if reason is not None},
        )
    )
    return ledger


def _check_data(ledger: Ledger, material: Material) -> None:
    """Refuses to go on with other data than earlier runs had."""
    now = {facts.key: facts.fingerprint for facts in material.facts.values()}
    for event in ledger.journal.read():
        for before in event.tasks if isinstance(event, DataRead) else ():
            if now.get(before.key, before.fingerprint) != before.fingerprint:
                raise InputError(
                    f"{ledger.folder.path}: --resume needs the data that the benchmark was "
                    f"started with, but the sequences, labels or tokens of {before.task} for "
                    f"{before.backbone} have changed; restore them, or start a benchmark of "
                    "another --name"
                )


@dataclass
class _Driver:
    """What one run of the driver works with."""

    ledger: Ledger
    tracker: Tracker
    material: Material
    runs: Sequence[BenchmarkRun]
    available: Sequence[BenchmarkRun]
    wanted: Shares
    console: Console

    def run(self) -> Ended:
        """Runs what is left, and writes results.csv however that ends."""
        self.tracker.update(self.ledger.record)
        self._write()
        gave_up = self._fit() if left_to_do(self.available, self.ledger.record) else ""
        self._write()
        ended = Ended.FAILED if gave_up else ended_as(self.available, self.ledger.record)
        if gave_up:
            text = f"the benchmark could not finish: {gave_up}"
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self.tracker.close(self.ledger.record, STATUS[ended])
        return ended

    def _tidy(self, event: Event, record: StudyRecord) -> None:
        """Once a run has ended its scores are what is wanted: on disk, and not its checkpoint."""
        if isinstance(event, TrialEnded):
            discard(self.ledger.folder, event.trial)
            self._write()

    def _write(self) -> None:
        lacking = self.material.lacking
        write_results(self.ledger.folder, self.runs, self.ledger.record, lacking)

    def _fit(self) -> str:
        """Lets Ray Tune work; returns why it gave up, "" if it did not."""
        concurrent = max(share.concurrent for share in self.wanted.values())
        planner = Planner(self.material.train_rows)
        shares = [
            (self.wanted[key_of(run)], run.spec.resources.max_concurrent) for run in self.runs
        ]
        searcher = BenchmarkSearcher(
            self.ledger, self.runs, self.available, planner, self.wanted, ClusterCapacity(shares)
        )
        recorder = RunRecorder(
            self.ledger, min(run.spec.resources.max_failures for run in self.runs)
        )
        progress = Progress(
            self.console,
            metric=OBJECTIVE,
            columns=COLUMNS,
            trials=len(self.available),
            concurrent=concurrent,
            maximize=None,
        )
        self.ledger.listeners = [progress, self.tracker, self._tidy]
        worker = tune.with_parameters(
            RunWorker,
            runs=list(self.runs),
            material=self.material,
            folder=self.ledger.folder,
            objective=OBJECTIVE,
        )
        with progress:
            fit(tune.with_resources(worker, _share), searcher, recorder, self.ledger)
        return searcher.gave_up


def _share(config: dict[str, float]) -> tune.PlacementGroupFactory:
    return tune.PlacementGroupFactory([{"CPU": config["cpus"], "GPU": config["gpus"]}])
