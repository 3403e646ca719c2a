"""What a worker says, taken into the journal: warnings, the end for want of memory, a report."""

from typing import Any

from study.engine.ledger import Ledger
from study.engine.record import TrialRecord
from study.engine.worker import metrics_of


def take(ledger: Ledger, trial: TrialRecord, result: dict[str, Any]) -> bool:
    """Journals a result of a worker; returns whether it is a report that was not there yet."""
    for text in result.get("warnings", ()):
        ledger.note("warning", trial=trial.number, text=text)
    if "failure" in result:
        ledger.end(trial, "failed", result["failure"])
        return False
    report = int(result["report"])
    if report <= len(trial.reports):
        # A trial that was taken up again repeats what it said since its checkpoint.
        return False
    if report != len(trial.reports) + 1:
        raise RuntimeError(f"report {report} of trial {trial.number} has no report before it")
    ledger.note(
        "report",
        trial=trial.number,
        report=report,
        step=int(result["step"]),
        metrics=metrics_of(result),
    )
    return True
