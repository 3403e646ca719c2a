"""When a worker counts as stalled: it runs, but has given no sign of life for too long."""

from study.storage.events import TrialStalled
from study.storage.record import StudyRecord

LEAST_MINUTES = 15.0
"""Without `resources.stall_minutes` no worker is killed earlier."""
REPORTS = 10
"""Without `resources.stall_minutes`: as many times the longest time between reports so far."""
STALLED = "stalled"
"""The first word of the reason of a crash for which the driver killed a stalled worker."""
SHARE = 0.2
"""A worker is named as stalled after this share of the time after which it is killed."""


def stall_limit(record: StudyRecord, stall_minutes: float | None) -> float:
    """Returns the minutes without a sign of life after which a worker is killed."""
    if stall_minutes is not None:
        return stall_minutes
    return max(LEAST_MINUTES, REPORTS * record.longest_interval / 60)


def stall_text(event: TrialStalled) -> str:
    """Returns that a worker is stalled, and what will be done, as text."""
    return (
        f"trial {event.trial}: its worker has given no sign of life for {event.minutes:.3g} min; "
        f"after {event.limit:.3g} min it is killed and the trial tried again"
    )
