"""Export of trained adapters to the formats of Hugging Face's PEFT, without PEFT installed.

    here                     in a LoRA folder                      in an AdaLoRA folder
    P[:, i]                  lora_B.weight[:, i]                   lora_B[:, i]
    lam[i] * scale           times Q[i]: lora_A.weight[i]          lora_E[i] * alpha / (r + 1e-5)
    Q[i]                                                           lora_A[i]
    lam[i] = 0, or masked    omitted, rank_pattern: {layer: n}     omitted, rank_pattern: flags

`n` is the number of remaining triplets of a layer. As PEFT has no rank 0, a layer without any is
omitted; if no layer has any, one triplet of value 0 is written for the first layer.

PEFT selects layers by the ends of their names and ranks by regular expressions; the names written
here match the adapted layers only.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapters.bases import is_conv1d
from adapters.checks import parameter_names, require_choice
from adapters.inject import adapted_layers
from adapters.svd import AdaptedLinear, SVDLinear

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""Prefix that PEFT adds to the names of the model."""
RANK_OFFSET = 1e-5
"""PEFT's AdaLoRA divides alpha by the initial rank plus this number."""
_CLASSIFIERS = ("classifier", "score")
HEADS: dict[str | None, tuple[str, ...]] = {
    None: (),
    "SEQ_CLS": _CLASSIFIERS,
    "TOKEN_CLS": _CLASSIFIERS,
    "QUESTION_ANS": ("qa_outputs",),
    "CAUSAL_LM": (),
    "SEQ_2_SEQ_LM": (),
    "FEATURE_EXTRACTION": (),
}
"""Name endings of the modules that PEFT treats as the head, by its name of the task."""


def save_peft_lora(
    model: nn.Module,
    folder: str | Path,
    *,
    head: Sequence[str] = (),
    task_type: str | None = None,
    base_model: str | None = None,
    revision: str | None = None,
) -> None:
    """Writes the adapters of a model to a folder in PEFT's LoRA format.

    Singular values, mask and scale are multiplied into lora_A, so that PEFT's own factor
    (alpha / rank) is 1 in every layer.

    Args:
        model: A model adapted by `inject`.
        folder: Created if it does not exist; existing files of the adapter are overwritten.
        head: Names of the modules that were trained with the adapters; they are saved completely.
        task_type: PEFT's name of the task, one of `HEADS`. With one that has a head, `head` must
            name it: PEFT would draw a new one.
        base_model: Folder or hub id of the model without adapters.
        revision: Its revision on the hub.

    Raises:
        ValueError: the model has no adapters, `task_type` is unknown, or `head` is not the set of
            modules that PEFT would save with them, or shares parameters with other modules.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> layer = inject(model, ["0"], rank=4, alpha=8, generator=torch.Generator())["0"]
        >>> layer.lam.data = torch.tensor([0.5, 0.0, 0.0, 0.25])
        >>> save_peft_lora(model, "adapter", head=["1"])  # two triplets remain
        >>> load_peft(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), "adapter")["0"].rank
        2
    """
    adapters = adapted_layers(model)
    _check(model, adapters, head, task_type)
    remaining = _remaining_triplets(adapters)
    ranks = {name: len(triplets) for name, triplets in remaining.items()}
    rank = max(ranks.values())
    # Without an anchor PEFT matches a key with the end of a name.
    pattern = {"^" + re.escape(name): n for name, n in ranks.items() if n != rank}
    config = {
        **_config(model, remaining, head),
        "peft_type": "LORA",
        "task_type": task_type,
        "base_model_name_or_path": base_model,
        "revision": revision,
        "r": rank,
        "lora_alpha": rank,
        "rank_pattern": pattern,
        "alpha_pattern": pattern,
    }
    tensors = {}
    for name, triplets in remaining.items():
        tensors[f"{name}.lora_A.weight"] = adapters[name].right_factor()[triplets]
        tensors[f"{name}.lora_B.weight"] = adapters[name].P[:, triplets]
    _write(Path(folder), config, tensors | _head_tensors(model, head))


def save_peft_adalora(
    model: nn.Module,
    folder: str | Path,
    *,
    head: Sequence[str] = (),
    task_type: str | None = None,
    base_model: str | None = None,
    revision: str | None = None,
) -> None:
    """Writes the adapters of a model to a folder in PEFT's AdaLoRA format.

    The singular values remain separate and alpha is unchanged; lora_E compensates for the 1e-5
    that PEFT adds to the rank. The format requires a schedule, which a trained adapter does not
    have: one of a single step is written. Arguments and errors are those of `save_peft_lora`;
    in addition, alpha must be positive.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 3))
        >>> layer = inject(model, ["0"], rank=4, alpha=8, generator=torch.Generator())["0"]
        >>> layer.lam.data = torch.tensor([0.5, 0.0, 0.0, 0.25])
        >>> save_peft_adalora(model, "adapter")
        >>> load_peft(nn.Sequential(nn.Linear(4, 3)), "adapter")["0"].lam.data
        tensor([0.5000, 0.2500])
    """
    adapters = adapted_layers(model)
    _check(model, adapters, head, task_type)
    remaining = _remaining_triplets(adapters)
    rank = max(module.rank for module in adapters.values())
    scale = max(module.scale for module in adapters.values())
    if scale <= 0:
        raise ValueError(
            f"alpha > 0 must hold in PEFT's AdaLoRA format, but got alpha={scale * rank:g}"
        )
    flags = {
        f"{name}.lora_E": [i in set(triplets.tolist()) for i in range(rank)]
        for name, triplets in remaining.items()
    }
    config = {
        **_config(model, remaining, head),
        "peft_type": "ADALORA",
        "task_type": task_type,
        "base_model_name_or_path": base_model,
        "revision": revision,
        "init_r": rank,
        "target_r": rank,
        "lora_alpha": scale * rank,
        "rank_pattern": None if all(all(row) for row in flags.values()) else flags,
        "total_step": 1,
    }
    tensors = {}
    for name, triplets in remaining.items():
        module = adapters[name]
        factor = module.scale / scale * (1 + RANK_OFFSET / rank)
        tensors[f"{name}.lora_A"] = module.Q[triplets]
        tensors[f"{name}.lora_B"] = module.P[:, triplets]
        tensors[f"{name}.lora_E"] = factor * _values(module)[triplets].unsqueeze(-1)
    _write(Path(folder), config, tensors | _head_tensors(model, head))


def _check(
    model: nn.Module,
    adapters: Mapping[str, AdaptedLinear],
    head: Sequence[str],
    task_type: str | None,
) -> None:
    if not adapters:
        raise ValueError("the model must have adapters, but got none; call inject first")
    require_choice(list(HEADS), task_type=task_type)
    names = [name for name, _ in model.named_modules()]
    absent = [name for name in head if name not in names]
    if absent:
        raise ValueError(
            f"head must name modules of the model, but got {absent}; see model.named_modules()"
        )
    inside = [name for name in adapters if any(f"{name}.".startswith(f"{h}.") for h in head)]
    if inside:
        raise ValueError(
            f"head must have no adapters inside, but got the adapted layer {inside[0]!r}; name "
            "modules that contain none"
        )
    endings = (*head, *HEADS[task_type])
    others = [n for n in names if n.endswith(endings) and n not in head] if endings else []
    if others:
        raise ValueError(
            f"head must name every module whose name ends in {' or '.join(sorted({*endings}))} "
            f"(PEFT saves them all), but got {list(head)} without {others}; add them to head"
        )
    if HEADS[task_type] and not head:
        raise ValueError(
            f"head must name the modules of the head if task_type is {task_type}, but got none; "
            "name them, or give no task_type"
        )
    check_untied(model, head)


def check_untied(model: nn.Module, modules: Sequence[str]) -> None:
    """Raises ValueError if a saved module shares a parameter: PEFT gives it a copy of its own."""
    prefixes = tuple(f"{name}." for name in modules)
    for first, *others in parameter_names(model).values():
        if others and any(name.startswith(prefixes) for name in (first, *others)):
            raise ValueError(
                f"saved modules must have parameters of their own, but got {first} tied to "
                f"{others[0]}; give each module a copy of the parameter"
            )


def _remaining_triplets(adapters: Mapping[str, AdaptedLinear]) -> dict[str, Tensor]:
    """Returns the indices of the triplets with a non-zero value, for layers that have any."""
    indices = {name: _values(module).nonzero()[:, 0] for name, module in adapters.items()}
    remaining = {name: triplets for name, triplets in indices.items() if len(triplets)}
    return remaining or {next(iter(adapters)): torch.tensor([0])}


def _values(module: AdaptedLinear) -> Tensor:
    """Returns the singular values (rank) used by the forward pass; 1 for LoRA."""
    if isinstance(module, SVDLinear):
        return module.effective_lam()
    return torch.ones(module.rank, device=module.P.device)


def _config(model: nn.Module, layers: Mapping[str, Any], head: Sequence[str]) -> dict[str, Any]:
    adapters = adapted_layers(model).values()
    return {
        "target_modules": _targets(model, list(layers)),
        "modules_to_save": list(head) or None,
        "lora_dropout": next(iter(adapters)).dropout,
        "bias": "none",
        "fan_in_fan_out": any(is_conv1d(module.base) for module in adapters),
        "inference_mode": True,
    }


def _targets(model: nn.Module, layers: list[str]) -> list[str] | str:
    """Returns the names, or a regular expression if a name is also the end of another name."""
    ends = tuple(f".{name}" for name in layers)
    others = (name for name, _ in model.named_modules() if name not in layers)
    if any(name.endswith(ends) for name in others):
        return "|".join(re.escape(name) for name in layers)
    return layers


def _head_tensors(model: nn.Module, head: Sequence[str]) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": tensor
        for name in head
        for key, tensor in model.get_submodule(name).state_dict().items()
    }


def _write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {
        PREFIX + name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    save_file(contiguous, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
