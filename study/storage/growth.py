"""A study may grow between two runs of the driver: more trials, a space that contains the old one.

What the earlier trials were must stay true, so everything else is refused. A grown spec stands in
the journal (event `grown`) before it stands in spec.yaml: a driver that dies in between leaves a
study that has grown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from study.errors import InputError
from study.spec import StudySpec, dump_spec
from study.spec.domains import Domain, contains
from study.spec.space import grid_size, trials_wanted
from study.storage.events import StudyGrown
from study.storage.ledger import StudyLedger
from study.storage.opening import Changes, open_folder, refuse_changes
from study.storage.stored import StoredStudy

APPENDED = {"points"}
"""Lists that may get more at their end."""


@dataclass(frozen=True)
class Growth:
    """How a study's spec differs from the one that it had."""

    changes: list[str]
    """What has grown, as `search.trials: 6 -> 9`."""
    refused: list[str]
    """What may not differ, but does."""
    fixed: dict[str, Any]
    """By parameter name: values of the earlier trials in leaves that are searched only now."""
    space: bool
    """Whether a domain is among the changes."""


def growth(before: StudySpec, now: StudySpec) -> Growth:
    """Compares all that decides results; how many resources are used may change."""
    changes, refused, fixed, space = [], [], {}, False
    for name, old, new in _differences(before, now):
        text = f"{name}: {_shown(old)} -> {_shown(new)}"
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
    """`now` with as many trials as before, if it asks for fewer: an extended study stays so."""
    return _with_trials(now, max(before.search.trials, now.search.trials))


def extended(before: StudySpec, now: StudySpec, more: int) -> StudySpec:
    """`now` with `more` trials than before.

    Raises:
        InputError: `more` is not positive, or the space has not so many points.
    """
    if more < 1:
        raise InputError(f"--extend: N >= 1 must hold, but got {more}")
    if not now.domains:
        raise InputError(
            "--extend: there must be something to search, but the space has no domains: its one "
            "configuration is run once; give a setting a domain"
        )
    wanted = trials_wanted(before) + more
    if now.search.sampler.name == "grid" and wanted > grid_size(now):
        raise InputError(
            f"--extend: the grid must have as many points as the study trials, but it has "
            f"{grid_size(now)} and the study would have {wanted} trials; extend it by at most "
            f"{grid_size(now) - trials_wanted(before)}"
        )
    return _with_trials(now, wanted)


def _with_trials(spec: StudySpec, trials: int) -> StudySpec:
    search = spec.search.model_copy(update={"trials": trials})
    return spec.model_copy(update={"search": search})


def _differences(before: StudySpec, now: StudySpec) -> Iterator[tuple[str, Any, Any]]:
    """Name, value before and value now of every leaf that differs; a missing one is None."""
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
        return " (the grid sampler's points are those of the domains that it began with)"
    if isinstance(new, Domain):
        return " (does not contain what was there before)"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, Domain):
        inside = ", ".join(f"{key}: {_shown(item)}" for key, item in value.as_mapping().items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
