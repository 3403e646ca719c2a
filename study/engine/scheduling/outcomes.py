"""Records the reports and crashes of workers, and what they mean for their trials."""

import shutil
from pathlib import Path
from typing import Any, Literal

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError

from study.engine.reporting import metrics_of, system_of
from study.storage.events import ABSENT, Report, TrialCrashed, TrialWarning
from study.storage.ledger import Ledger
from study.storage.record import CRASHED, OUT_OF_MEMORY, TrialRecord

KILLED = "the worker process died (killed, perhaps by the kernel for lack of memory)"


def record_crash(ledger: Ledger, ray_trial: Any, max_failures: int) -> None:
    """Journals a crash and stores its traceback; the crash after `max_failures` ends the trial.

    The loss of a node does not count as a failure of its trials. A worker that Ray kills because
    its node is out of memory need not be the cause, so this is the trial's reason only if it is
    the last crash.
    """
    trial = ledger.record.trials[ray_trial.config["trial"]]
    if trial.state != "running":
        return  # The trial is complete; its worker crashed afterwards.
    error = _error(ray_trial)
    stalled = ledger.stalled.pop(trial.number, "")
    reason = stalled or error_summary(error)
    attempt = trial.crashes + (0 if _is_loss_of_a_node(error) else 1)
    fault = isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False)
    fault = fault and not stalled
    ledger.append(TrialCrashed(trial=trial.number, attempt=attempt, fault=fault, reason=reason))
    if trial.crashes > max_failures:
        times = "" if trial.crashes == 1 else f" {trial.crashes} times, the last time"
        cause = OUT_OF_MEMORY if isinstance(error, OutOfMemoryError) else f"{CRASHED}{times}"
        ledger.end(trial, "failed", f"{cause}: {reason}")
    if ray_trial.error_file:
        _keep_traceback(ledger, trial.number, Path(ray_trial.error_file))


def _keep_traceback(ledger: Ledger, trial: int, source: Path) -> None:
    """Copies a traceback into the study folder; an error is only a warning."""
    try:
        with ledger.folder.failure(trial).open("ab") as kept, source.open("rb") as file:
            shutil.copyfileobj(file, kept)
    except OSError as error:
        text = f"its traceback could not be stored: {error}"
        ledger.append(TrialWarning(trial=trial, text=text))


def _is_loss_of_a_node(error: BaseException | None) -> bool:
    """Whether a worker died with its node; only the text of Ray's error states this."""
    return isinstance(error, ActorDiedError) and "its node has died" in str(error)


def _error(ray_trial: Any) -> BaseException | None:
    """Returns the exception of a crashed trial from Ray's file on this machine."""
    file = ray_trial.pickled_error_file
    if file is None:
        return None
    try:
        pickled = Path(file).read_bytes()
    except OSError:
        return None
    error: BaseException = ray.cloudpickle.loads(pickled)
    return error


def error_summary(error: BaseException | None) -> str:
    """Returns a worker's error in one line."""
    if isinstance(error, RayTaskError):
        error = error.cause or error
    if isinstance(error, ActorDiedError) and not error.actor_init_failed:
        if _is_loss_of_a_node(error):
            return "its node died"
        return KILLED
    if isinstance(error, WorkerCrashedError):
        return KILLED
    if error is None:
        return "the worker reported no error"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def record_report(ledger: Ledger, trial: TrialRecord, result: dict[str, Any]) -> bool:
    """Journals a result of a worker; returns whether it contains a new report."""
    for text in result.get("warnings", ()):
        ledger.append(TrialWarning(trial=trial.number, text=text))
    if "failure" in result:
        ledger.end(trial, "failed", result["failure"])
        return False
    report = int(result["report"])
    if report <= len(trial.reports):
        # A resumed trial repeats the reports since its checkpoint.
        return False
    if report != len(trial.reports) + 1:
        raise RuntimeError(f"report {report} of trial {trial.number} has no report before it")
    ledger.append(
        Report(
            trial=trial.number,
            report=report,
            step=int(result["step"]),
            metrics=metrics_of(result),
            system=system_of(result) or ABSENT,
        )
    )
    return True


def final_decision(trial: TrialRecord) -> tuple[Literal["fail", "complete"], str] | None:
    """Returns fail or complete, with the reason, if a trial's newest report ends it anyway.

    None if ASHA decides. A report may leave the metric out.
    """
    if trial.metrics.get("train_loss") is None:
        return "fail", "diverged: the loss is not finite"
    if trial.metric in trial.metrics and trial.value is None:
        return "fail", f"{trial.metric} is not finite"
    if len(trial.reports) >= trial.reports_planned:
        return "complete", ""
    return None
