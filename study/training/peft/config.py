"""PEFT's config of a resolved spec: our names translated, PEFT's arguments checked."""

import dataclasses
from typing import Any

from torch import nn

from adapters import target_patterns
from study.errors import InputError
from study.models import head_pattern
from study.spec import PeftSpec, StudySpec
from study.spec.peft import NORMS
from study.training.peft.arguments import check_names, config_class, converted, made
from study.training.peft.targets import norms
from study.training.peft.types import SEEDS


def peft_config(spec: StudySpec, family: str, model: nn.Module, steps: int) -> Any:
    """Returns PEFT's config of a trial with `steps` optimizer steps.

    Raises:
        InputError: an argument is unknown, of another type, or refused by PEFT.
    """
    adapter = spec.adapter
    assert isinstance(adapter, PeftSpec)
    cls = config_class(adapter.peft_type)
    check_names(cls, adapter.arguments)
    arguments = converted(cls, adapter.arguments)
    known = {field.name for field in dataclasses.fields(cls) if field.init}
    _set_targets(arguments, adapter, family, model, known)
    for name in SEEDS:
        if name in known:
            arguments.setdefault(name, spec.seeds.init)
    if adapter.peft_type == "ADALORA":
        arguments["total_step"] = steps
    if "progressbar" in known:
        arguments.setdefault("progressbar", False)
    config = made(cls, arguments, "adapter")
    if adapter.peft_type == "ADALORA":
        _check_adalora(config)
    _check_precision(spec)
    return config


def _check_precision(spec: StudySpec) -> None:
    """Checks that no norm of a half-precision backbone trains: its weights would be float32."""
    adapter: Any = spec.adapter
    what = f"peft_type {NORMS}" if adapter.peft_type == NORMS else "bias: all"
    trains = adapter.peft_type == NORMS or adapter.arguments.get("bias") == "all"
    if trains and spec.backbone.dtype != "float32":
        raise InputError(
            f"backbone.dtype: must be float32 with {what}, which trains norms, but got "
            f"{spec.backbone.dtype}; change one"
        )


def _set_targets(
    arguments: dict[str, Any], adapter: PeftSpec, family: str, model: nn.Module, known: set[str]
) -> None:
    """Adds PEFT's target_modules, and what depends on them."""
    given = "target_modules" in arguments
    if adapter.peft_type == NORMS and not given:
        arguments["target_modules"] = norms(model, head_pattern(family))
    elif not given:
        arguments["target_modules"] = "|".join(target_patterns(family, adapter.matrices))
    if "feedforward_modules" in known:
        second = [matrix for matrix in adapter.matrices if matrix == "f2"]
        patterns = target_patterns(family, second) if second and not given else ()
        arguments["feedforward_modules"] = "|".join(patterns) or []


def _check_adalora(config: Any) -> None:
    """Checks what PEFT does not: with these values its first mask event would fail."""
    if config.target_r >= config.init_r:
        raise InputError(
            "adapter.target_r: target_r < init_r must hold, but got "
            f"target_r={config.target_r}, init_r={config.init_r}; change one"
        )
    if config.total_step - config.tfinal < 2:
        raise InputError(
            "adapter.tfinal: tfinal <= steps - 2 must hold, but got "
            f"tfinal={config.tfinal}, steps={config.total_step}; lower tfinal or train longer"
        )
