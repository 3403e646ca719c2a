"""Ray's ASHA, fed with a trial's own report index and with everything the journal holds.

What this adds to Ray's scheduler: reports and decisions are journalled; a loss that is not finite
fails the trial at once; rungs are rebuilt from the journal on resume, because Ray forgets them.

The rule: at a rung a trial goes on if its score is not below the (1 - 1 / reduction_factor)
quantile, interpolated, of the scores that came there before; the first always goes on. Optuna's
SuccessiveHalvingPruner counts ranks in place of interpolating, and stops a few trials more.
"""

import math
from types import SimpleNamespace
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from typing_extensions import override

from study.engine.scheduling.outcomes import note_crash, take, verdict
from study.engine.scheduling.rungs import first_rung
from study.storage.events import Decision, Report, Verdict
from study.storage.ledger import StudyLedger
from study.storage.record import STATE_AFTER, TrialRecord


class Scheduler(AsyncHyperBandScheduler):  # type: ignore[misc]
    """Decides after every report whether a trial goes on."""

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
        """The metric is the spec's; Ray may not set another."""
        return True

    @override
    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Puts a new trial into ASHA's bracket; a resumed one is there already."""
        super().on_trial_add(tune_controller, _stand_in(trial.config["trial"]))

    @override
    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journals the report, decides, journals the decision."""
        record = self.ledger.record.trials[trial.config["trial"]]
        with self.ledger.batch():
            if take(self.ledger, record, result):
                self.decide(record, len(record.reports))
        running = record.state == "running"
        return str(TrialScheduler.CONTINUE if running else TrialScheduler.STOP)

    def decide(self, trial: TrialRecord, report: int) -> str:
        """Returns and journals continue, stop, complete or fail for a trial's newest report."""
        over = verdict(trial)
        if over is not None:
            return self._end(trial, *over)
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
        note_crash(self.ledger, trial, self.ledger.spec.resources.max_failures)

    @override
    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: Any) -> None:
        """Nothing to do: the last report has been seen by `on_trial_result`."""

    @override
    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the rungs keep what a removed trial has reported."""

    def _replay(self, trial: TrialRecord, report: Report) -> None:
        """Feeds ASHA a recorded report, and makes up for what a crash left unsaid after it."""
        made = [d for d in trial.decisions if d.report == report.report]
        if not made:
            self.decide(trial, report.report)
            return
        self._ask_asha(trial.number, report.report, report.metrics.get(self.compared))
        if made[-1].decision in STATE_AFTER:
            self.ledger.end(trial, STATE_AFTER[made[-1].decision], made[-1].reason)

    def _ask_asha(self, number: int, report: int, value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return str(TrialScheduler.CONTINUE)
        result = {self._time_attr: report, self._metric: value}
        return str(super().on_trial_result(None, _stand_in(number), result))

    def _cutoff(self, number: int, report: int) -> float | None:
        """The score below which ASHA would stop the trial at this report; None: it would not."""
        for milestone, recorded in self._brackets[0]._rungs:  # from the last rung to the first
            if report >= milestone and str(number) not in recorded:
                cutoff = self._brackets[0].cutoff(recorded)
                return None if cutoff is None else float(self._metric_op * cutoff)
        return None

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return (Scheduler, (self.ledger,))


def _stand_in(number: int) -> SimpleNamespace:
    """What ASHA sees of a trial: an identity that is the same after a resume."""
    return SimpleNamespace(trial_id=str(number))
