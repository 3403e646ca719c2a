"""Checks of optuna.journal: Optuna must read it and find the trials with their numbers.

Every driver writes it again from the record, so nothing can be lost with it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from study.doctor.finding import Finding, NotCheckedError, some
from study.doctor.subject import Subject


def check(subject: Subject) -> Iterator[Finding]:
    """Finds trials that optuna.journal lacks or has with other values, and unknown ones."""
    ledger = subject.ledger()
    if subject.running:
        raise NotCheckedError("the driver is writing it")
    file = subject.folder.optuna
    fix = f"resuming writes it again: {subject.resume}"
    if not file.is_file():
        if ledger.record.trials:
            yield Finding("optuna", "there is no optuna.journal", fix, unfinished=True)
        return
    # Imported here: Optuna and, with the searcher, Ray take seconds.
    from study.engine.scheduling.optuna_study import frozen_trial
    from study.spec.space import distributions

    try:
        stored = [(trial, _key(trial)) for trial in _trials(file)]
    except Exception as error:
        text = f"optuna.journal cannot be read: {type(error).__name__}: {error}"
        yield Finding("optuna", text, fix, unfinished=_is_torn(file))
        return
    space = distributions(ledger.spec)
    trials = ledger.record.trials.values()
    expected = {one.number: _key(frozen_trial(one, space, ledger.goals)) for one in trials}
    ended = [expected[one.number] for one in trials if one.state != "running"]
    there = dict(enumerate(key for _, key in stored))
    if there != expected and Counter(there.values()) == Counter(ended):
        text = "optuna.journal has other numbers of trials: an earlier version wrote it"
        yield Finding("optuna", text, fix, unfinished=True)
        return
    extra = len(there) - len(expected)
    missing = [number for number, key in expected.items() if there.get(number) != key]
    if missing:
        text = f"optuna.journal lacks {some(missing)}, or has other values there"
        # The driver writes it after the journal: only the newest event may be missing.
        behind = len(missing) == 1 and extra <= 0 and _is_behind(stored, missing[0])
        yield Finding("optuna", text, fix, unfinished=behind)
    elif extra > 0:
        yield Finding("optuna", f"optuna.journal has {extra} trials too many", fix)


def _is_behind(stored: list[tuple[Any, str]], number: int) -> bool:
    """Whether a trial is missing at the end of the file, or has not ended there."""
    return number >= len(stored) or stored[number][0].state.name == "RUNNING"


def _trials(file: Path) -> list[Any]:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import BaseJournalBackend

    class Lines(BaseJournalBackend):  # type: ignore[misc]
        """The file, read-only."""

        def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
            data = file.read_bytes()
            complete = data[: data.rfind(b"\n") + 1].splitlines()
            return [json.loads(line) for line in complete[log_number_from:]]

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            raise PermissionError("the doctor only reads")

    storage = JournalStorage(Lines())
    [name] = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    return list(study.get_trials(deepcopy=False))


def _is_torn(file: Path) -> bool:
    return not file.read_bytes().endswith(b"\n")


def _key(trial: Any) -> str:
    """Returns Optuna's data of a trial, without times and numbers, as text."""
    values = {str(step): value for step, value in trial.intermediate_values.items()}
    fields = [trial.state.name, trial.values, trial.params, values, trial.constraints]
    return json.dumps(fields, sort_keys=True)
