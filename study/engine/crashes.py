"""What becomes of a trial whose worker crashed: tried again from its checkpoint, or failed."""

import shutil
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError

from study.engine.ledger import Ledger
from study.engine.record import CRASHED, OUT_OF_MEMORY

KILLED = "the worker process died (killed, perhaps by the kernel for want of memory)"


def note_crash(ledger: Ledger, ray_trial: Any, max_failures: int) -> None:
    """Journals a crash with its traceback; the one after `max_failures` ends the trial.

    The loss of a node is no failure of a trial's. A worker that Ray stops because its node runs
    out of memory may not be the one to blame: only if that is how it ends, that is the reason.
    """
    trial = ledger.record.trials[ray_trial.config["trial"]]
    if trial.state != "running":
        return  # It had said all that was asked of it.
    error = _error(ray_trial)
    reason = describe(error)
    attempt = trial.crashes + (0 if _is_loss_of_a_node(error) else 1)
    fault = isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False)
    ledger.note(CRASHED, trial=trial.number, attempt=attempt, fault=fault, reason=reason)
    if trial.crashes > max_failures:
        times = "" if trial.crashes == 1 else f" {trial.crashes} times, the last time"
        what = OUT_OF_MEMORY if isinstance(error, OutOfMemoryError) else f"{CRASHED}{times}"
        ledger.end(trial, "failed", f"{what}: {reason}")
    if ray_trial.error_file:
        _keep_traceback(ledger, trial.number, Path(ray_trial.error_file))


def _keep_traceback(ledger: Ledger, trial: int, source: Path) -> None:
    """Copies a traceback into the study folder; results do not depend on it."""
    try:
        with ledger.folder.failure(trial).open("ab") as kept, source.open("rb") as file:
            shutil.copyfileobj(file, kept)
    except OSError as error:
        ledger.note("warning", trial=trial, text=f"its traceback could not be kept: {error}")


def _is_loss_of_a_node(error: BaseException | None) -> bool:
    """Whether a worker died with its node; Ray says so in words alone."""
    return isinstance(error, ActorDiedError) and "its node has died" in str(error)


def _error(ray_trial: Any) -> BaseException | None:
    """The exception, from where the driver has just put it; Ray's own reader looks elsewhere."""
    file = ray_trial.pickled_error_file
    if file is None:
        return None
    try:
        pickled = Path(file).read_bytes()
    except OSError:
        return None
    error: BaseException = ray.cloudpickle.loads(pickled)
    return error


def describe(error: BaseException | None) -> str:
    """Returns an error of a worker in one line."""
    if isinstance(error, RayTaskError):
        error = error.cause or error
    if isinstance(error, ActorDiedError) and not error.actor_init_failed:
        if _is_loss_of_a_node(error):
            return "its node died"
        return KILLED
    if isinstance(error, WorkerCrashedError):
        return KILLED
    if error is None:
        return "the worker gave no reason"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
