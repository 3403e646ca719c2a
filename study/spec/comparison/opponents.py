"""The configurations that --against and --vary add: another method with all else equal, or the
first configuration with one setting changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from study.errors import InputError
from study.spec.domains import Domain, FloatDomain
from study.spec.loading import dump_spec, load_spec, read_spec
from study.spec.methods import is_foreign
from study.spec.rules import quoted
from study.spec.schema import StudySpec
from study.spec.yaml.aliases import is_searchable
from study.spec.yaml.messages import input_error
from study.spec.yaml.reader import Document

SAME = {
    "rank": ("b0", "r", "init_r"),
    "b0": ("rank", "init_r", "r"),
    "r": ("rank", "b0", "init_r"),
    "init_r": ("b0", "rank", "r"),
    "target_r": ("bT",),
    "bT": ("target_r",),
    "lora_alpha": ("alpha",),
    "alpha": ("lora_alpha",),
    "lora_dropout": ("dropout",),
    "dropout": ("lora_dropout",),
}
"""Leaves with the same meaning in another method; the first that it has is taken."""
OPTIMIZER = ("lr", "head_lr", "weight_decay", "warmup_ratio", "max_grad_norm")
"""Training leaves that are tuned for each method; the others are the length of the training."""
_MISSING = object()
_MAX_LABEL = 60


@dataclass(frozen=True)
class Opponent:
    """A configuration of another method, and remarks on its settings."""

    spec: StudySpec
    notes: tuple[str, ...] = ()


def opponent(path_or_name: str, first: StudySpec, overrides: Sequence[str] = ()) -> Opponent:
    """Returns the method of a YAML file with all other settings of `first`, a configuration.

    From the file are the leaves of `adapter` and of the optimizer (`OPTIMIZER`) with one value.
    Leaves that it searches or leaves out have the value of `first`; LoRA's rank has that of b0. A
    leaf that the file leaves out and `first` lacks has its default. An optimizer leaf that the
    file searches over a range without the value of `first` has the nearest value in the range.

    Raises:
        InputError: the file is not a study's space, or searches a leaf that `first` lacks.
    """
    source = load_spec(path_or_name, _known(path_or_name, overrides))
    notes: list[str] = []
    adapter: dict[str, Any] = {"method": source.adapter.method}
    for leaf, given in _leaves(source.adapter):
        value = _MISSING if _has_value(source.adapter, leaf) else _value_in(first, leaf, notes)
        if value is not _MISSING:
            adapter[leaf] = value
        elif isinstance(given, Domain):
            raise InputError(
                f"{path_or_name}: adapter.{leaf}: a searched setting must have a value in the "
                f"first configuration, but got none for {first.adapter.method}; give it one value"
            )
        else:
            adapter[leaf] = given
    values: dict[str, Any] = first.model_dump() | {"adapter": adapter}
    untuned = []
    for leaf in OPTIMIZER:
        given, inherited = getattr(source.training, leaf), values["training"][leaf]
        if _has_value(source.training, leaf):
            values["training"][leaf] = given
        elif isinstance(given, Domain):
            values["training"][leaf] = nearest = _nearest(given, inherited)
            why = (
                ""
                if nearest == inherited
                else f" (the value in its range nearest to {inherited:g})"
            )
            untuned.append(f"{leaf} {'none' if nearest is None else f'{nearest:g}'}{why}")
    if untuned:
        notes.append(
            f"not tuned for this method: {', '.join(untuned)}; for a fair comparison give the "
            "best.yaml of a study of this method"
        )
    try:
        return Opponent(StudySpec.model_validate(values), tuple(notes))
    except ValidationError as error:
        raise input_error(error, Document(path_or_name, values)) from error


def varied(first: StudySpec, text: str) -> tuple[str, StudySpec]:
    """Returns `first` with changed settings, and its label: `p=0` for `adapter.p=0`.

    Several settings are joined by commas: `adapter.p=0,adapter.prune_mode=mask`.

    Raises:
        InputError: a setting is unknown, already has this value, or needs another backbone to be
            loaded or other data.
    """
    settings = re.split(r",(?=\s*[a-z]+\.\w+\s*=)", text)
    for setting in settings:
        name = setting.partition("=")[0].strip()
        if not _may_vary(name):
            raise InputError(
                f"--vary {setting}: must be a setting of adapter or training, or one of backbone "
                f"that may be searched, but got {quoted(name)}; give, for example, adapter.p=0"
            )
    spec = read_spec(dump_spec(first), "the first configuration", settings, "--vary")
    if spec.leaves == first.leaves:
        raise InputError(
            f"--vary {text}: must change the first configuration, but got the value that it has; "
            "leave it out"
        )
    label = ",".join(setting.strip().partition(".")[2].replace(" ", "") for setting in settings)
    return label[:_MAX_LABEL], spec


def _may_vary(name: str) -> bool:
    """Whether a setting leaves the loaded backbone and the data as they are."""
    section, _, leaf = name.partition(".")
    return section in ("adapter", "training") or is_searchable(section, leaf)


def _known(path_or_name: str, overrides: Sequence[str]) -> list[str]:
    """Returns the overrides of leaves that are taken from the file."""
    method, known = load_spec(path_or_name).adapter.method, []
    for setting in overrides:
        section, _, leaf = setting.partition("=")[0].strip().partition(".")
        of_method = section == "adapter" and not is_foreign(method, leaf)
        if of_method or (section == "training" and leaf in OPTIMIZER):
            known.append(setting)
    return known


def _leaves(section: Any) -> list[tuple[str, Any]]:
    return [(leaf, value) for leaf, value in section if leaf != "method"]


def _has_value(section: Any, leaf: str) -> bool:
    """Whether the file sets a leaf to one value."""
    return leaf in section.model_fields_set and not isinstance(getattr(section, leaf), Domain)


def _value_in(first: StudySpec, leaf: str, notes: list[str]) -> Any:
    given = dict(first.adapter)
    if leaf in given:
        return given[leaf]
    other = next((name for name in SAME.get(leaf, ()) if name in given), None)
    if other is None:
        return _MISSING
    value = given[other]
    notes.append(f"{leaf} {value} is {other} of the first configuration")
    return value


def _nearest(domain: Domain, value: Any) -> Any:
    if isinstance(domain, FloatDomain) and isinstance(value, float):
        return min(max(value, domain.low), domain.high)
    return value
