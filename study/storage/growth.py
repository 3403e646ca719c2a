"""Growth of a study between two runs of the driver: more trials, points or a wider space.

Everything else that determines results is refused, so that earlier trials stay valid. The grown
spec is journalled (event `grown`) before spec.yaml is written: if the driver dies in between, the
study has grown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from study.errors import InputError
from study.spec import StudySpec, dump_spec
from study.spec.domains import Domain, contains
from study.spec.space import grid_size, planned_trials
from study.storage.events import StudyGrown
from study.storage.ledger import StudyLedger
from study.storage.opening import Changes, open_folder, refuse_changes
from study.storage.stored import StoredStudy

APPENDED = {"points"}
"""Lists to whose end entries may be added."""


@dataclass(frozen=True)
class Growth:
    """The differences of a study's spec from its previous one."""

    changes: list[str]
    """Permitted changes, as `search.trials: 6 -> 9`."""
    refused: list[str]
    """Changes that are not permitted."""
    fixed: dict[str, Any]
    """Parameter -> value that earlier trials had of a leaf that is searched only now."""
    space: bool
    """Whether a domain has changed."""


def growth(before: StudySpec, now: StudySpec) -> Growth:
    """Returns the differences in settings that determine results; resources may change."""
    changes, refused, fixed, space = [], [], {}, False
    for name, old, new in _differences(before, now):
        text = f"{name}: {_leaf_text(old)} -> {_leaf_text(new)}"
        if name == "search.trials" and new >= old:
            changes.append(text)
        elif name in APPENDED and list(new[: len(old)]) == list(old):
            changes.append(f"{name}: {len(old)} -> {len(new)}")
        elif contains(new, old) and now.search.sampler.name != "grid":
            changes.append(text)
            space = True
            if not isinstance(old, Domain):
                fixed[name.rpartition(".")[2]] = old
        else:
            refused.append(text + _why(name, old, new, now))
    return Growth(changes, refused, fixed, space)


def grow(ledger: StudyLedger, before: StudySpec) -> None:
    """Records the growth from `before` to the ledger's spec, first in the journal."""
    spec = ledger.spec
    grown = growth(before, spec)
    text = dump_spec(spec)
    if grown.changes:
        ledger.append(
            StudyGrown(
                trials=spec.search.trials,
                changes=grown.changes,
                spec=text,
                fixed=grown.fixed,
                space=grown.space,
            )
        )
    open_folder(ledger.folder.path, text, replace=True)


def changes_of_study(now: StudySpec) -> Changes:
    """Returns a function of a stored study: the changes to it that are not growth."""

    def changes(stored: StoredStudy) -> list[str]:
        before = stored.spec
        return growth(before, with_trials_of(before, now)).refused

    return changes


def contained(stored: StoredStudy, now: StudySpec) -> StudySpec:
    """Returns `now` with at least the trials of the study in a folder, if there is one.

    Lock the folder before: another driver may have changed it since it was checked.

    Raises:
        InputError: the study there is another.
    """
    if not stored.folder.spec.exists():
        return now
    refuse_changes(stored.folder.path, changes_of_study(now)(stored))
    return with_trials_of(stored.spec, now)


def with_trials_of(before: StudySpec, now: StudySpec) -> StudySpec:
    """Returns `now` with at least the trials of `before`: an extended study stays extended."""
    return _with_trials(now, max(before.search.trials, now.search.trials))


def extended(before: StudySpec, now: StudySpec, more: int) -> StudySpec:
    """Returns `now` with `more` trials than `before`.

    Raises:
        InputError: `more` is not positive, or a grid has too few points.
    """
    if more < 1:
        raise InputError(f"--extend: N >= 1 must hold, but got {more}")
    if not now.domains:
        raise InputError(
            "--extend: there must be a domain to search, but got a space with one configuration, "
            "which is run once; give a setting a domain"
        )
    trials = planned_trials(before) + more
    if now.search.sampler.name == "grid" and trials > grid_size(now):
        raise InputError(
            f"--extend: the grid must have as many points as the study has trials, but got "
            f"{grid_size(now)} points and {trials} trials; extend it by at most "
            f"{grid_size(now) - planned_trials(before)}"
        )
    return _with_trials(now, trials)


def _with_trials(spec: StudySpec, trials: int) -> StudySpec:
    search = spec.search.model_copy(update={"trials": trials})
    return spec.model_copy(update={"search": search})


def _differences(before: StudySpec, now: StudySpec) -> Iterator[tuple[str, Any, Any]]:
    """Yields (name, old value, new value) of every leaf that differs; None if it is missing."""
    for section in type(now).model_fields:
        if section == "resources":
            continue
        old, new = getattr(before, section), getattr(now, section)
        if old == new:
            continue
        if not hasattr(old, "model_fields_set") or not hasattr(new, "model_fields_set"):
            yield section, old, new
            continue
        olds, news = dict(old), dict(new)
        for key in dict.fromkeys([*olds, *news]):
            if olds.get(key) != news.get(key):
                yield f"{section}.{key}", olds.get(key), news.get(key)


def _why(name: str, old: Any, new: Any, now: StudySpec) -> str:
    if name == "adapter.bT" and isinstance(new, Domain) != isinstance(old, Domain):
        return " (a fixed bT and a ratio of b0 are not the same parameter)"
    if now.search.sampler.name == "grid" and contains(new, old):
        return " (the points of the grid sampler are those of the first domains)"
    if isinstance(new, Domain):
        return " (does not contain the previous values)"
    return ""


def _leaf_text(value: Any) -> str:
    if isinstance(value, Domain):
        inside = ", ".join(
            f"{key}: {_leaf_text(item)}" for key, item in value.as_mapping().items()
        )
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_leaf_text(item) for item in value)}]"
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
