"""Ray's ASHA over the report indices of trials, with a journal.

Additions to Ray's scheduler: reports and decisions are journalled; a loss that is not finite fails
the trial at once; rungs are rebuilt from the journal on resume, as Ray does not restore them.

Rule: at a rung a trial continues if its score is not below the (1 - 1 / reduction_factor)
quantile, interpolated, of the scores recorded there before; the first always continues. Optuna's
SuccessiveHalvingPruner counts ranks instead of interpolating and stops slightly more trials.
"""

import math
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from typing_extensions import override

from study.engine.scheduling.outcomes import final_decision, record_crash, record_report
from study.spec.rungs import first_rung
from study.storage.events import Decision, Report, Verdict
from study.storage.ledger import StudyLedger
from study.storage.record import STATE_AFTER, TrialRecord


class AshaScheduler(AsyncHyperBandScheduler):  # type: ignore[misc]
    """Decides after every report whether a trial continues."""

    def __init__(self, ledger: StudyLedger) -> None:
        spec = ledger.spec
        super().__init__(
            time_attr="report",
            metric=spec.objective,
            mode="max" if ledger.maximize else "min",
            max_t=spec.training.reports,
            grace_period=first_rung(spec),
            reduction_factor=spec.scheduler.reduction_factor,
        )
        self.ledger = ledger
        self.compared = spec.compared
        for trial in ledger.record.trials.values():
            super().on_trial_add(None, _stand_in(trial.number))
        for report in list(ledger.record.reports):
            self._replay(ledger.record.trials[report.trial], report)

    @override
    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Does nothing: the metric is the spec's."""
        return True

    @override
    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Adds a new trial to ASHA's bracket, which contains resumed ones already."""
        super().on_trial_add(tune_controller, _stand_in(trial.config["trial"]))

    @override
    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journals the report and the decision on it."""
        record = self.ledger.record.trials[trial.config["trial"]]
        with self.ledger.batch():
            if record_report(self.ledger, record, result):
                self.decide(record, len(record.reports))
        running = record.state == "running"
        return str(TrialScheduler.CONTINUE if running else TrialScheduler.STOP)

    def decide(self, trial: TrialRecord, report: int) -> str:
        """Returns and journals continue, stop, complete or fail for a trial's newest report."""
        final = final_decision(trial)
        if final is not None:
            return self._end(trial, *final)
        value = trial.metrics.get(self.compared)
        cutoff = self._cutoff(trial.number, report)
        if self._ask_asha(trial.number, report, value) == TrialScheduler.STOP:
            side = "below" if self.ledger.maximize else "above"
            reason = (
                f"{side} the rung at report {report}: {self.compared} {value:.4f} "
                f"against {cutoff:.4f}"
            )
            return self._end(trial, "stop", reason, cutoff)
        self.ledger.append(
            Decision(
                trial=trial.number, report=report, decision="continue", reason="", cutoff=cutoff
            )
        )
        return "continue"

    def _end(
        self, trial: TrialRecord, decision: Verdict, reason: str, cutoff: float | None = None
    ) -> str:
        self.ledger.append(
            Decision(
                trial=trial.number,
                report=len(trial.reports),
                decision=decision,
                reason=reason,
                cutoff=cutoff,
            )
        )
        self.ledger.end(trial, STATE_AFTER[decision], reason)
        return decision

    @override
    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Journals the crash of a worker."""
        record_crash(self.ledger, trial, self.ledger.spec.resources.max_failures)

    @override
    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: Any) -> None:
        """Does nothing: the last report was passed to `on_trial_result`."""

    @override
    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Does nothing: the rungs keep the reports of a removed trial."""

    def _replay(self, trial: TrialRecord, report: Report) -> None:
        """Passes a recorded report to ASHA; journals decision and end if a crash prevented it."""
        decisions = [d for d in trial.decisions if d.report == report.report]
        if not decisions:
            self.decide(trial, report.report)
            return
        self._ask_asha(trial.number, report.report, report.metrics.get(self.compared))
        if decisions[-1].decision in STATE_AFTER:
            self.ledger.end(trial, STATE_AFTER[decisions[-1].decision], decisions[-1].reason)

    def _ask_asha(self, number: int, report: int, value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return str(TrialScheduler.CONTINUE)
        result = {self._time_attr: report, self._metric: value}
        return str(super().on_trial_result(None, _stand_in(number), result))

    def _cutoff(self, number: int, report: int) -> float | None:
        """Returns the score below which ASHA stops the trial at this report, None without one."""
        for milestone, recorded in self._brackets[0]._rungs:  # from the last rung to the first
            if report >= milestone and str(number) not in recorded:
                cutoff = self._brackets[0].cutoff(recorded)
                return None if cutoff is None else float(self._metric_op * cutoff)
        return None

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (AshaScheduler, (self.ledger,))


def _stand_in(number: int) -> SimpleNamespace:
    """Returns a trial as ASHA needs it: with an id that is the same after a resume."""
    return SimpleNamespace(trial_id=str(number))
