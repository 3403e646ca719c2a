"""Checks of the recorded decisions: ASHA's rungs must give them again from the reports.

A study's reports go in their order through a scheduler that has seen nothing else.
"""

import math
from collections.abc import Iterator
from types import SimpleNamespace

from study.doctor.finding import Finding
from study.doctor.subject import ReadLedger, Subject
from study.storage.events import Decision, Report, StudyGrown, TrialCreated
from study.storage.record import StudyRecord

MOST = 3


def check(subject: Subject) -> Iterator[Finding]:
    """Finds decisions that differ from those of the rungs."""
    recorded = {
        (decision.trial, decision.report): decision
        for trial in subject.ledger().record.trials.values()
        for decision in trial.decisions
    }
    differing = []
    for decision in _rehearse(subject):
        made = recorded.get((decision.trial, decision.report))
        if made is not None and not _same(made, decision):
            differing.append((made, decision))
    for made, decision in differing[:MOST]:
        yield Finding(
            "scheduler",
            f"trial {made.trial}, report {made.report}: the journal has {_words(made)}, "
            f"but the reports before it give {_words(decision)}"
            + (f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""),
            "if events.jsonl or spec.yaml was edited, restore it from a copy. If the rule "
            "has changed with another version of Ray or of this package, install the version in "
            "events.jsonl (created_with), or ignore this: recorded decisions are kept",
        )
        return


def _rehearse(subject: Subject) -> list[Decision]:
    """Returns the decisions of a new scheduler."""
    # Imported here: Ray and torch take seconds.
    from study.engine.scheduling.asha import AshaScheduler

    spec = subject.ledger().spec
    ledger = ReadLedger(subject.folder, spec, StudyRecord(spec.objective))
    scheduler = AshaScheduler(ledger)
    for event in subject.events:
        if not isinstance(event, TrialCreated | Report | StudyGrown):
            continue
        ledger.record.apply(event)
        if isinstance(event, TrialCreated):
            scheduler.on_trial_add(None, SimpleNamespace(config={"trial": event.trial}))
        elif isinstance(event, Report):
            scheduler.decide(ledger.record.trials[event.trial], event.report)
    return [d for trial in ledger.record.trials.values() for d in trial.decisions]


def _same(one: Decision, other: Decision) -> bool:
    if one.decision != other.decision:
        return False
    if one.cutoff is None or other.cutoff is None:
        return one.cutoff is other.cutoff
    return math.isclose(one.cutoff, other.cutoff, rel_tol=1e-9, abs_tol=1e-12)


def _words(decision: Decision) -> str:
    cutoff = decision.cutoff
    return decision.decision + ("" if cutoff is None else f" at a cutoff of {cutoff:.4f}")
