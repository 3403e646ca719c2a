"""What becomes of a trial whose worker crashed: tried again from its checkpoint, or failed."""

import shutil
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError

from study.engine.ledger import Ledger
from study.engine.record import CRASHED, OUT_OF_MEMORY


def note_crash(ledger: Ledger, ray_trial: Any, max_failures: int) -> None:
    """Journals a crash with its traceback; the one after `max_failures` ends the trial.

    A worker that Ray stopped because its node ran out of memory ends its trial at once: it would
    need as much again.
    """
    trial = ledger.record.trials[ray_trial.config["trial"]]
    if trial.state != "running":
        return  # It had said all that was asked of it.
    error = _error(ray_trial)
    reason = describe(error)
    ledger.note(CRASHED, trial=trial.number, attempt=trial.crashes + 1, reason=reason)
    if isinstance(error, OutOfMemoryError):
        ledger.end(trial, "failed", f"{OUT_OF_MEMORY}: {reason}")
    elif trial.crashes > max_failures:
        times = "" if trial.crashes == 1 else f" {trial.crashes} times, the last time"
        ledger.end(trial, "failed", f"{CRASHED}{times}: {reason}")
    if ray_trial.error_file:
        _keep_traceback(ledger, trial.number, Path(ray_trial.error_file))


def _keep_traceback(ledger: Ledger, trial: int, source: Path) -> None:
    """Copies a traceback into the study folder; results do not depend on it."""
    try:
        with ledger.folder.failure(trial).open("ab") as kept, source.open("rb") as file:
            shutil.copyfileobj(file, kept)
    except OSError as error:
        ledger.note("warning", trial=trial, text=f"its traceback could not be kept: {error}")


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
        return "the worker process died (killed, by the kernel for want of memory, or its node)"
    if error is None:
        return "the worker gave no reason"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
