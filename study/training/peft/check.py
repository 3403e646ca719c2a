"""Checks the arguments of PEFT everywhere in a space, before anything runs; imports no torch."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from study.spec import PeftSpec, StudySpec, resolve
from study.spec.domains import CategoricalDomain
from study.spec.space import corners
from study.training.peft.arguments import check_names, config_class, converted, made

UNKNOWN_STEPS = 10**6
"""Steps of a training whose length is not known."""


def check_peft(spec: StudySpec) -> None:
    """Checks names, types and values of the arguments; does nothing for other methods.

    What depends on the backbone is checked when the parameters are counted.

    Raises:
        InputError: PEFT has no such type or argument, or refuses a value; with PEFT's message.
    """
    if not isinstance(spec.adapter, PeftSpec):
        return
    cls = config_class(spec.adapter.peft_type)
    check_names(cls, spec.adapter.arguments)
    known = {field.name for field in dataclasses.fields(cls)}
    steps: dict[str, Any] = {"total_step": UNKNOWN_STEPS} if "total_step" in known else {}
    for resolved in _ends(spec):
        assert isinstance(resolved.adapter, PeftSpec)
        made(cls, converted(cls, resolved.adapter.arguments) | steps, "adapter")


def _ends(spec: StudySpec) -> Iterator[StudySpec]:
    """Yields the spec at the ends of each domain, and at every choice."""
    points = corners(spec)
    for name, domain in spec.domains.items():
        if isinstance(domain, CategoricalDomain):
            points += [points[0] | {name: choice} for choice in domain.choices]
    for params in points:
        yield resolve(spec, params)
