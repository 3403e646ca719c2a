"""One session of the driver over a study: from the checked input to the last file."""

from collections.abc import Mapping
from typing import Any

from study.engine.audit import run_audit
from study.engine.baselines import Baselines
from study.engine.cluster import study_cluster
from study.engine.comparison.finalists import bring_race_up_to_date, run_race
from study.engine.console.display import Display
from study.engine.console.lines import warn
from study.engine.console.plan import print_earlier
from study.engine.console.summary import print_failures, print_summary
from study.engine.driver import (
    SessionStatus,
    check_data,
    input_facts,
    record_new_address,
    record_start,
    write_splits,
)
from study.engine.resources import Resources
from study.engine.scheduling.optuna_file import OptunaJournal
from study.engine.scheduling.rungs import check_first_rung
from study.engine.tracking.address import tracking_address
from study.engine.tracking.subject import experiment_name, of_study
from study.engine.tracking.summary import summary_of
from study.engine.tracking.tensorboard import TensorBoardFiles
from study.engine.tracking.tracker import Tracker
from study.engine.tuning import discard_unneeded, run_trials
from study.engine.winner import evaluate_winner, write_best_spec
from study.models import empty_backbone
from study.models.info import BackboneInfo
from study.spec import StudySpec, dump_spec, resolve
from study.spec.space import planned_trials
from study.storage.auditing import awaiting
from study.storage.events import WarmStart
from study.storage.growth import contained, grow, growth
from study.storage.ledger import StudyLedger
from study.storage.opening import locked, open_folder
from study.storage.stored import StoredStudy
from study.storage.tables import write_trials
from study.training.encoding import EncodedTask
from study.training.forecast import Forecast, forecast


def check_space(spec: StudySpec, info: BackboneInfo, data: EncodedTask) -> list[Forecast]:
    """Returns forecasts of the corners of the space.

    Warns of points that will not be tried.

    Raises:
        InputError: some trial would reach a rung before its first mask event.
    """
    check_first_rung(spec, len(data.train))
    if len(spec.points) > planned_trials(spec):
        warn(
            f"points: {len(spec.points)} points, but only {planned_trials(spec)} trials, so the "
            "last points will not be tried; raise search.trials"
        )
    return forecast(spec, len(data.train), empty_backbone(info, num_labels=data.num_labels))


def run_study(
    stored: StoredStudy,
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    address: str | None,
    tracking_uri: str | None,
    display: Display,
    earlier: WarmStart | None = None,
    tensorboard: bool = False,
) -> SessionStatus:
    """Runs or resumes the study in a folder, read as `stored`.

    An existing study must be contained in `spec`; see `study.storage.growth`. The sampler of a
    new one starts with the results of the `earlier` study. `tensorboard`: whether to write files
    for TensorBoard from now on.
    """
    folder = stored.folder
    tracking_uri = tracking_address(stored, tracking_uri)
    if folder.journal.exists():
        with locked(folder):
            stored = stored.current()
            spec = contained(stored, spec)
            ledger = StudyLedger(folder, stored.spec, stored)
            check_data(stored, data)
            enough = planned_trials(spec) <= planned_trials(ledger.spec)
            if enough and _is_over(ledger):
                if growth(ledger.spec, spec).space:
                    warn("the space has grown, but no trial is left for it; see --extend")
                if tensorboard:
                    folder.tensorboard.mkdir(exist_ok=True)
                _bring_up_to_date(ledger, tracking_uri, display)
                print_summary(display.end, ledger, tracking_uri)
                return SessionStatus.DONE
    check_space(spec, info, data)
    known = stored.study_record().baselines if stored.opened else None
    with (
        Baselines(spec.task, known) as baselines,
        study_cluster(stored, spec, info, data, address, display) as (info, trial_resources),
        locked(folder),
    ):
        stored = stored.current()
        spec = contained(stored, spec)
        open_folder(folder.path, dump_spec(spec))
        facts = input_facts(info, data, experiment_name(spec))
        if not stored.opened:
            facts["baselines"] = baselines.quick()
        ledger = _open_ledger(stored, spec, facts, tracking_uri)
        write_splits(folder, data)
        if tensorboard:
            folder.tensorboard.mkdir(exist_ok=True)
        if earlier is not None:
            ledger.append(earlier)
            print_earlier(display.console, ledger.record.began_with)
        tracker = Tracker(ledger, tracking_uri, of_study(ledger))
        with tracker.ending(ledger.record):
            services = tracker, baselines, tracking_uri, display
            ended = _run(ledger, info, data, trial_resources, *services)
        if ended is SessionStatus.DONE:
            print_summary(display.end, ledger, tracking_uri)
        return ended


def _is_evaluated(ledger: StudyLedger) -> bool:
    """Whether the winner was chosen among the present finalists, and its scores are stored."""
    return ledger.winner_is_current and ledger.folder.scores.exists()


def _is_over(ledger: StudyLedger) -> bool:
    """Whether nothing is left to do: trials, winner, audit."""
    ended = ledger.complete and _is_evaluated(ledger)
    return ended and not awaiting(ledger.record, ledger.spec)


def _bring_up_to_date(ledger: StudyLedger, tracking_uri: str | None, display: Display) -> None:
    """Completes the files and the tracking of a study whose last driver died or had no server."""
    ledger.drop_torn_line()
    record_new_address(ledger, tracking_uri)
    bring_race_up_to_date(ledger, tracking_uri)
    OptunaJournal(ledger)
    if ledger.folder.tensorboard.is_dir():
        TensorBoardFiles(ledger)
    discard_unneeded(ledger)
    write_trials(ledger)
    assert ledger.record.winner is not None
    winner = ledger.record.trials[ledger.record.winner.trial]
    write_best_spec(ledger.folder, resolve(ledger.spec, winner.params, winner.seeds))
    display.write_last_page()
    tracker = Tracker(ledger, tracking_uri, of_study(ledger))
    tracker.close(ledger.record, "FINISHED", lambda: summary_of(ledger))


def _open_ledger(
    stored: StoredStudy,
    spec: StudySpec,
    facts: Mapping[str, Any],
    tracking_uri: str | None,
) -> StudyLedger:
    ledger = StudyLedger(stored.folder, spec, stored)
    if not ledger.opened:
        # An earlier driver may have died right after writing a smaller spec.
        open_folder(ledger.folder.path, dump_spec(spec), replace=True)
    record_start(ledger, tracking_uri, facts)
    if ledger.opened:
        grow(ledger, stored.spec)
    return ledger


def _run(
    ledger: StudyLedger,
    info: BackboneInfo,
    data: EncodedTask,
    trial_resources: Resources,
    tracker: Tracker,
    baselines: Baselines,
    tracking_uri: str | None,
    display: Display,
) -> SessionStatus:
    gave_up = ""
    if ledger.complete:
        ledger.listeners = [OptunaJournal(ledger)]  # Its last entries may be missing.
        discard_unneeded(ledger)
    else:
        gave_up = run_trials(ledger, info, data, tracker, display, trial_resources)
    record = ledger.record
    baselines.record_cnn(ledger, wait=False)
    write_trials(ledger)
    winner = ledger.best()
    interrupted = not gave_up and not ledger.complete
    if winner is None or not ledger.complete:
        tracker.close(record, "KILLED" if interrupted else "FAILED")
        if interrupted:
            return SessionStatus.INTERRUPTED
        print_failures(display.end, ledger, gave_up)
        return SessionStatus.FAILED
    if not _is_evaluated(ledger):
        outcome = run_race(ledger, info, data, trial_resources, tracking_uri, display)
        if outcome.winner is None:
            tracker.close(record, "FAILED" if outcome.gave_up else "KILLED")
            if not outcome.gave_up:
                return SessionStatus.INTERRUPTED
            print_failures(display.end, ledger, f"the race of the finalists: {outcome.gave_up}")
            return SessionStatus.FAILED
        baselines.record_cnn(ledger, wait=True)
        display.phase(f"evaluating the winner, trial {outcome.winner}")
        evaluate_winner(
            ledger, record.trials[outcome.winner], info, data, trial_resources, outcome.race
        )
        write_trials(ledger)
    if not run_audit(ledger, info, data, trial_resources, display):
        tracker.close(record, "KILLED")
        return SessionStatus.INTERRUPTED
    write_trials(ledger)
    try:
        display.write_last_page()
    finally:
        tracker.close(record, "FINISHED", lambda: summary_of(ledger))
    return SessionStatus.DONE
