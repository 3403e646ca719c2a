"""Trains stopped trials to their end, in the folder `audit/`; see `study.storage.auditing`.

A trial continues from its last checkpoint with its own seeds, so that it becomes the trial that it
would have been without early stopping. The result is an event of the study's journal; `audit/` has
only what is needed to continue after an interruption.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ray import tune
from typing_extensions import override

from study.engine.checkpoints import discard, move
from study.engine.cluster import ClusterCapacity
from study.engine.console.display import Display
from study.engine.console.lines import warn
from study.engine.console.progress import Progress
from study.engine.driver import input_facts, record_start
from study.engine.resources import Resources
from study.engine.scheduling.dispatch import Capacity
from study.engine.scheduling.rungs import final_budget_reports
from study.engine.scheduling.runs import RunRecorder, RunSearcher
from study.engine.tracking.subject import experiment_of
from study.engine.tuning import fit
from study.engine.worker import TrialWorker
from study.models.info import BackboneInfo
from study.spec import StudySpec, resolve
from study.spec.comparison.schema import ConfigurationsSpec, dump_comparison
from study.storage.auditing import awaiting
from study.storage.events import Event, TrialAudited, TrialEnded
from study.storage.ledger import Ledger, StudyLedger
from study.storage.live.building import study_snapshot
from study.storage.opening import open_folder
from study.storage.record import StudyRecord, TrialRecord
from study.storage.runs import Label, label_of_trial
from study.training.encoding import EncodedTask


@dataclass(frozen=True)
class AuditRun:
    """The rest of a stopped trial."""

    trial: TrialRecord
    study: StudySpec

    @property
    def labels(self) -> Mapping[str, Label]:
        """The name of the trial, as in a race."""
        return {"configuration": label_of_trial(self.trial)}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the trial."""
        return self.trial.settings

    @property
    def seeds(self) -> Mapping[str, int]:
        """Those of the trial."""
        return self.trial.seeds

    @property
    def spec(self) -> StudySpec:
        """The trial as a study of its own."""
        return resolve(self.study, self.trial.params, self.trial.seeds)


class _Searcher(RunSearcher[AuditRun]):
    """Suggests the stopped trials, with the reports and the checkpoints that they have."""

    def __init__(self, study: StudyLedger, ledger: Ledger, capacity: Capacity) -> None:
        self.study = study
        runs = [AuditRun(trial, study.spec) for trial in awaiting(study.record, study.spec)]
        super().__init__(ledger, lambda record: runs, _plan, capacity)

    @override
    def _create(self, run: AuditRun) -> int:
        with self.ledger.batch():
            number = super()._create(run)
            for report in run.trial.reports:
                self.ledger.append(replace(report, trial=number))
        return number

    @override
    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        run = self._suggested[trial.number]
        move(self.study.folder, run.trial.number, self.ledger.folder, trial.number)
        return {"params": run.trial.params, "seeds": run.seeds}


def _plan(run: AuditRun) -> tuple[int, int]:
    return run.trial.total_steps, run.trial.reports_planned


def run_audit(
    study: StudyLedger,
    info: BackboneInfo,
    data: EncodedTask,
    share: Resources,
    display: Display,
) -> bool:
    """Trains the chosen trials to their end and journals what they reach; resumes.

    A trial that fails has that as its result. If the first ones all crash the rest is left to a
    resume, with a warning, as the study has its winner.

    Returns:
        Whether the study may end; False after an interruption.
    """
    waiting = awaiting(study.record, study.spec)
    if not waiting:
        return True
    display.phase(f"the audit of early stopping: {len(waiting)} stopped trials train to their end")
    ledger = _open(study, info, data)
    ledger.listeners = [_Results(study, ledger), *display.listeners]
    spec = study.spec
    worker = tune.with_parameters(
        TrialWorker,
        spec=spec,
        info=info,
        data=data,
        folder=ledger.folder,
        trial_resources=share,
        final_budget_reports=final_budget_reports(spec),
    )
    searcher = _Searcher(study, ledger, ClusterCapacity([(share, spec.resources.max_concurrent)]))
    progress = Progress(
        display.console,
        lambda now: study_snapshot(
            study.folder.path.name, spec, study.record, None, now, share.concurrent
        ),
    )
    ledger.listeners.append(progress)
    with progress:
        fit(
            tune.with_resources(worker, {"cpu": share.cpus, "gpu": share.gpus}),
            searcher,
            RunRecorder(ledger, spec.resources.max_failures),
            ledger,
            spec.resources.stall_minutes,
        )
    if searcher.gave_up:
        warn(f"the audit of early stopping was given up: {searcher.gave_up}; --resume tries again")
    return bool(searcher.gave_up) or not awaiting(study.record, study.spec)


def _open(study: StudyLedger, info: BackboneInfo, data: EncodedTask) -> Ledger:
    """Creates or continues the folder `audit/`, a comparison of the trials."""
    waiting = awaiting(study.record, study.spec)
    runs = [AuditRun(trial, study.spec) for trial in waiting]
    text = dump_comparison(
        ConfigurationsSpec(configurations={label_of_trial(run.trial): run.spec for run in runs})
    )
    folder = open_folder(study.folder.audit, text, replace=True)
    ledger = Ledger(folder, study.metric)
    facts = input_facts(info, data, experiment_of(study.record))
    record_start(ledger, None, facts)
    return ledger


class _Results:
    """A listener that journals the results in the study, and deletes checkpoints."""

    def __init__(self, study: StudyLedger, ledger: Ledger) -> None:
        self.study, self.ledger = study, ledger
        # An earlier driver may have been killed before it did this.
        for trial in ledger.record.in_state("complete", "failed"):
            self._record(trial)

    def __call__(self, event: Event, record: StudyRecord) -> None:
        if isinstance(event, TrialEnded):
            self._record(record.trials[event.trial])

    def _record(self, trial: TrialRecord) -> None:
        discard(self.ledger.folder, trial.number)
        known = {label_of_trial(one): one for one in awaiting(self.study.record, self.study.spec)}
        of = known.get(str(trial.labels["configuration"]))
        if of is not None:
            step = trial.reports[-1].step if trial.reports else 0
            self.study.append(
                TrialAudited(
                    trial=of.number, step=step, metrics=trial.metrics, reason=trial.reason
                )
            )
