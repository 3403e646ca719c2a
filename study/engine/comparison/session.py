"""One invocation of study.seeds: from the checked input to results.csv."""

from collections.abc import Mapping, Sequence

from study.engine.cluster import study_cluster
from study.engine.comparison.design import changes_of_comparison
from study.engine.comparison.execution import RunContext, execute_runs, open_comparison, savings
from study.engine.comparison.results import write_results
from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.until import Growth, PlannedRuns
from study.engine.console.display import Display
from study.engine.console.lines import print_lines
from study.engine.driver import MLFLOW_STATUS, SessionStatus, check_data, session_status
from study.engine.tracking.address import tracking_address
from study.engine.tracking.subject import experiment_name, of_comparison
from study.engine.tracking.tracker import Tracker
from study.models.info import BackboneInfo
from study.spec.comparison.schema import ComparisonSpec, dump_comparison
from study.storage.ledger import Ledger
from study.storage.live.building import runs_snapshot
from study.storage.opening import locked
from study.storage.runs import latest_trials, unfinished_runs
from study.storage.stored import StoredStudy
from study.training.encoding import EncodedTask


def run_comparison(
    stored: StoredStudy,
    spec: ComparisonSpec,
    info: BackboneInfo,
    data: EncodedTask,
    address: str | None,
    tracking_uri: str | None,
    display: Display,
    growth: Growth | None = None,
) -> SessionStatus:
    """Runs the comparison in a folder, read as `stored`, or the runs that are left of it.

    Every run is evaluated on dev and test when it ends. With a `growth` pairs are added until a
    decision.

    Raises:
        InputError: the folder has another comparison, or weights, data or cluster are not usable.
    """
    folder = stored.folder
    metric = spec.first.objective
    runs = PlannedRuns(folder, spec, metric, growth)
    tracking_uri = tracking_address(stored, tracking_uri)
    if folder.journal.exists():
        with locked(folder):
            stored = stored.current()
            check_data(stored, data)
            ledger = Ledger(folder, metric, stored)
            if not unfinished_runs(runs(ledger.record), ledger.record):
                tracker = Tracker(ledger, tracking_uri, of_comparison(ledger, spec.first))
                return _finish(ledger, runs, tracker, display)
    with (
        study_cluster(stored, spec.first, info, data, address, display) as (
            info,
            share,
        ),
        locked(folder),
    ):
        stored = stored.current()
        if folder.spec.exists():  # Another driver may have started meanwhile.
            changes_of_comparison(runs.spec)(stored)
        runs.ahead += -(-share.concurrent // len(spec.configurations))
        text = dump_comparison(runs.spec)
        ledger = open_comparison(
            stored, text, metric, info, data, tracking_uri, experiment_name(spec.first)
        )
        tracker = Tracker(ledger, tracking_uri, of_comparison(ledger, spec.first))
        with tracker.ending(ledger.record):
            context = RunContext(info, data, share, lambda run: ("dev", "test"))
            gave_up = execute_runs(
                ledger,
                runs,
                context,
                tracker,
                display,
                lambda now: runs_snapshot(
                    "comparison",
                    folder.path.name,
                    ledger.record,
                    len(runs(ledger.record)),
                    now,
                    share.concurrent,
                ),
            )
            return _finish(ledger, runs, tracker, display, gave_up)


def _finish(
    ledger: Ledger,
    source: PlannedRuns,
    tracker: Tracker,
    display: Display,
    gave_up: str = "",
) -> SessionStatus:
    """Writes results.csv, completes MLflow and prints the number of runs by state."""
    ledger.drop_torn_line()
    runs = source(ledger.record)
    write_results(ledger.folder, runs, ledger.record, ledger.metric)
    ended = SessionStatus.FAILED if gave_up else session_status(runs, ledger.record)
    tracker.close(ledger.record, MLFLOW_STATUS[ended])
    print_lines(display.end, _summary(ledger, runs, gave_up))
    return ended


def _summary(ledger: Ledger, runs: Sequence[ComparisonRun], gave_up: str) -> list[str]:
    record, trials = ledger.record, latest_trials(ledger.record)
    states = [trial.state for trial in trials.values()]
    left = len(unfinished_runs(runs, record))
    saved = savings(record)
    return [
        "",
        *([f"the comparison could not finish: {gave_up}"] if gave_up else []),
        f"runs       {states.count('complete')} complete, {states.count('failed')} failed, "
        f"{left} left of {len(runs)}",
        *([_shared(saved)] if saved["steps"] else []),
        f"folder     {ledger.folder.path}",
    ]


def _shared(saved: Mapping[str, float]) -> str:
    return (
        f"shared     {saved['steps']:,.0f} steps ({saved['seconds']:,.0f} s of training) were not "
        "repeated: runs that differ only in their mask share the steps before the first mask event"
    )
