"""The words for states. `pruned` is Optuna's word, which journal and tables keep."""

from study.storage.events import State

STATE_WORDS: dict[State, str] = {
    "complete": "complete",
    "pruned": "stopped early",
    "failed": "failed",
    "running": "unfinished",
}
"""The state of a trial, as people read it."""
