"""The trained parameters of AdaLoRA+RS, AdaLoRA, LoRA, full fine-tuning and linear probe.

`prepare` turns a loaded backbone into the model of one trial. Adapter methods only wrap modules of
the backbone, so that `release` restores it for the next trial, except the head, which every trial
draws again. Full fine-tuning trains a copy, or a network of its own (cnn).
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from adapters import (
    AdaptedLinear,
    ParameterCount,
    RankAllocator,
    SVDLinear,
    count_parameters,
    eject,
    expected_matches,
    inject,
    target_patterns,
)
from adapters.budget import CubicBudget
from study.errors import InputError
from study.models import Backbone, Pooling, head_pattern, reset_head
from study.models.families import check_pooling
from study.spec import (
    AdaLoraRSSpec,
    AdaLoraSpec,
    Adapter,
    CnnSpec,
    LoraSpec,
    PeftSpec,
    StudySpec,
)
from study.training.peft.adapters import PeftAdapters
from study.training.peft.check import UNKNOWN_STEPS
from study.training.peft.inject import PeftInputs, add_peft, on_cpu


@dataclass(frozen=True)
class PreparedModel:
    """A model and its trained parameters: those of adapters, the head, the whole backbone."""

    model: nn.Module
    adapters: Mapping[str, AdaptedLinear]
    """Our adapted layers by module name; empty for other methods than AdaLoRA and LoRA."""
    head: dict[str, nn.Parameter]
    backbone: dict[str, nn.Parameter]
    """The trained parameters of the backbone: all of them under fmft, else none."""
    peft: PeftAdapters | None = None
    """The adapters of Hugging Face's PEFT, under method peft."""
    pooling: Pooling | None = None
    """What the head reads, where the class of the model reads something else."""

    @property
    def adapter_parameters(self) -> list[nn.Parameter]:
        """The trainable parameters of all adapters."""
        if self.peft is not None:
            return list(self.peft.parameters.values())
        return [
            parameter
            for module in self.adapters.values()
            for parameter in module.parameters()
            if parameter.requires_grad
        ]


def prepare(
    spec: StudySpec,
    backbone: Backbone,
    device: torch.device,
    peft: PeftInputs = PeftInputs(),  # noqa: B008  Frozen.
) -> PreparedModel:
    """Draws the head, injects the method's adapters and freezes all other parameters.

    P, Q and the head are drawn on the CPU from the `init` seed. All trained parameters are
    float32, whatever the backbone's dtype: half precision would round small updates away.

    Raises:
        InputError: the family of the backbone cannot pool as the spec says.
    """
    family, pooling = backbone.info.family, spec.backbone.pooling
    check_pooling(family, pooling)
    generator = torch.Generator().manual_seed(spec.seeds.init)
    whole = spec.adapter.method == "fmft"
    model = _model(spec, backbone, generator)
    head = _fresh_head(model, family, generator)
    model.requires_grad_(whole)
    added = None
    if isinstance(spec.adapter, PeftSpec):
        model.to(device)  # PEFT draws and decomposes where the weights are.
        added = add_peft(spec, model, backbone.info, peft)
    adapters = _inject(spec.adapter, model, backbone, generator)
    for parameter in head.values():
        parameter.requires_grad_(True)
    trained = dict(model.named_parameters()) if whole else {}
    of_backbone = {name: p for name, p in trained.items() if name not in head}
    pooled = Pooling(model, family, pooling)
    prepared = PreparedModel(model, adapters, head, of_backbone, added, pooled)
    try:
        model.to(device)
    except Exception:  # Out of memory: the next trial needs the backbone.
        release(prepared)
        raise
    return prepared


def _model(spec: StudySpec, backbone: Backbone, generator: torch.Generator) -> nn.Module:
    """Returns the model to train: the backbone's, a copy of it, or a new network (cnn)."""
    if isinstance(spec.backbone, CnnSpec):
        from study.models.architectures.cnn.model import fresh_cnn

        model: Any = backbone.model
        return fresh_cnn(
            spec.backbone.model_dump(exclude={"name"}),
            model.config.num_labels,
            generator,
            model.device,
        )
    if spec.adapter.method == "fmft":
        return copy.deepcopy(backbone.model).float()
    return backbone.model


def _fresh_head(
    model: nn.Module, family: str, generator: torch.Generator
) -> dict[str, nn.Parameter]:
    """Draws the head, in float32, and returns its parameters."""
    head = _named(model, head_pattern(family))
    for parameter in head.values():
        parameter.data = parameter.data.float()
    reset_head(model, family, generator)
    return head


def _inject(
    adapter: Adapter, model: nn.Module, backbone: Backbone, generator: torch.Generator
) -> Mapping[str, AdaptedLinear]:
    """Adds our adapters to the model; none for other methods."""
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec | LoraSpec):
        return {}
    patterns = target_patterns(backbone.info.family, adapter.matrices)
    rank = adapter.rank if isinstance(adapter, LoraSpec) else adapter.b0
    adapters = inject(
        model,
        patterns,
        rank if adapter.rank_pattern is None else _ranks(adapter, model, patterns),
        alpha=adapter.alpha,
        dropout=adapter.dropout,
        kind="lora" if isinstance(adapter, LoraSpec) else "svd",
        generator=generator,
        expected=expected_matches(backbone.info.layers, adapter.matrices),
    )
    for layer in adapters.values():
        layer.scale = adapter.alpha / rank  # Also where a pattern gives the layer another rank.
    return adapters


def _ranks(
    adapter: AdaLoraRSSpec | AdaLoraSpec | LoraSpec, model: nn.Module, patterns: Sequence[str]
) -> dict[str, int]:
    """Returns the rank of every layer that the matrices name.

    Raises:
        InputError: the rank pattern is of other layers, or has a rank that no layer can have.
    """
    layers = {
        name: min(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and any(re.fullmatch(p, name) for p in patterns)
    }
    ranks = dict(adapter.rank_pattern or ())
    matrices = ", ".join(adapter.matrices)
    rule = f"adapter.rank_pattern: must have a rank for every layer of matrices {matrices}"
    if others := [name for name in ranks if name not in layers]:
        raise InputError(
            f"{rule}, but got {len(others)} other layers, {others[0]} first; take the pattern of "
            "this backbone, or set adapter.matrices to those of the pattern"
        )
    if missing := [name for name in layers if name not in ranks]:
        raise InputError(
            f"{rule}, but got none for {len(missing)}, {missing[0]} first; add rank 0 for layers "
            "to leave as they are, or set adapter.matrices to those of the pattern"
        )
    for name, rank in ranks.items():
        if rank > layers[name]:
            raise InputError(
                f"adapter.rank_pattern: ranks must be at most the width of the layer, but got "
                f"{rank} for {name} of width {layers[name]}; lower it"
            )
    return ranks


def release(prepared: PreparedModel) -> None:
    """Removes adapters and pooling: except for the head, the backbone is as before `prepare`."""
    if prepared.pooling is not None:
        prepared.pooling.remove()
    if prepared.peft is not None:
        prepared.peft.remove()
    if prepared.adapters:
        eject(prepared.model)


def count_trained(
    spec: StudySpec, backbone: Backbone, steps: int = UNKNOWN_STEPS
) -> ParameterCount:
    """Returns the parameter counts at the start of a trial; works on the meta device.

    `steps` are those of the training, which PEFT's AdaLoRA requires to be enough.
    """
    device = next(backbone.model.parameters()).device
    try:
        prepared = prepare(spec, backbone, device, PeftInputs(steps))
    except (NotImplementedError, RuntimeError):
        if not isinstance(spec.adapter, PeftSpec) or device.type != "meta":
            raise
        # The type reads the weights, which are absent.
        backbone = replace(backbone, model=on_cpu(backbone.model))
        prepared = prepare(spec, backbone, torch.device("cpu"), PeftInputs(steps))
    try:
        count = count_parameters(prepared.model, prepared.adapters, prepared.head.values())
    finally:
        release(prepared)
    if prepared.peft is None:
        return count
    size = sum(parameter.numel() for parameter in backbone.model.parameters())
    return replace(count, vectors=count.other, other=0, backbone=size)


def make_allocator(
    spec: StudySpec, prepared: PreparedModel, budget: CubicBudget | None
) -> RankAllocator | None:
    """Returns the rank allocator of an AdaLoRA method; None for other methods."""
    adapter = spec.adapter
    if budget is None or not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        return None
    adapters = {k: m for k, m in prepared.adapters.items() if isinstance(m, SVDLinear)}
    if adapter.rank_pattern is not None:  # In the order of the model's layers.
        budget = replace(budget, b0=tuple(layer.rank for layer in adapters.values()))
    return RankAllocator(
        adapters,
        budget,
        beta1=adapter.beta1,
        beta2=adapter.beta2,
        p=adapter.p,
        p_reintroduce=adapter.p_reintroduce,
        prune_mode=adapter.prune_mode,
        final_mask=adapter.final_mask,
        mask_seed=spec.seeds.mask,
        score_loss=adapter.score_loss,
    )


def _named(model: nn.Module, pattern: str) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if re.fullmatch(pattern, name)}
