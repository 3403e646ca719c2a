"""Writes trained adapters as the folders that Hugging Face's PEFT loads; PEFT is not needed.

    here                     in a LoRA folder                      in an AdaLoRA folder
    P[:, i]                  lora_B.weight[:, i]                   lora_B[:, i]
    lam[i] * scale           times Q[i]: lora_A.weight[i]          lora_E[i] * alpha / (r + 1e-5)
    Q[i]                                                           lora_A[i]
    lam[i] = 0, or masked    left out, rank_pattern: {layer: n}    left out, rank_pattern: flags

`n` is what is left of a layer's rank. A layer with nothing left is left out itself, for PEFT
knows no rank 0; where nothing is left of any layer, the first keeps one triplet of value 0.

PEFT finds layers by the ends of their names and ranks by regular expressions; what is written
here means the adapted layers alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapters.inject import adapted_layers
from adapters.svd import AdaptedLinear, SVDLinear

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What PEFT puts before the model's own names."""
RANK_OFFSET = 1e-5
"""PEFT's AdaLoRA divides alpha by the initial rank plus this."""
CLASSIFIERS = ("classifier", "score")
"""Ends of the names of the modules that PEFT takes for the head of a sequence classifier."""


def save_peft_lora(
    model: nn.Module,
    folder: str | Path,
    *,
    head: Sequence[str] = (),
    task_type: str | None = None,
    base_model: str | None = None,
    revision: str | None = None,
) -> None:
    """Writes the adapters of a model as a folder in PEFT's LoRA format.

    Singular values, mask and scale are multiplied into lora_A, so that PEFT's own factor
    (alpha / rank) is 1 in every layer.

    Args:
        model: A model that `inject` has adapted.
        folder: Made if absent; a config and weights in it are written over.
        head: Names of the modules that were trained beside the adapters; they are saved whole.
        task_type: PEFT's name of the task, such as `SEQ_CLS`.
        base_model: Folder or hub id of the model without adapters.
        revision: Its revision on the hub.

    Raises:
        ValueError: the model has no adapters, or `head` is not what PEFT would take for it.
    """
    adapters = adapted_layers(model)
    _check(model, adapters, head, task_type)
    live = _live_triplets(adapters)
    ranks = {name: len(triplets) for name, triplets in live.items()}
    rank = max(ranks.values())
    # PEFT reads a key as the end of a name, unless it is anchored.
    pattern = {"^" + re.escape(name): n for name, n in ranks.items() if n != rank}
    config = {
        **_config(model, live, head),
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
    for name, triplets in live.items():
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
    """Writes the adapters of a model as a folder in PEFT's AdaLoRA format.

    The singular values stay apart and alpha stays what it was; only the 1e-5 that PEFT adds to
    the rank is made up for in lora_E. The format wants a schedule, which a trained adapter no
    longer has: the one written is of a single step. Arguments and errors are those of
    `save_peft_lora`; alpha must be positive besides.
    """
    adapters = adapted_layers(model)
    _check(model, adapters, head, task_type)
    live = _live_triplets(adapters)
    rank = max(module.rank for module in adapters.values())
    scale = max(module.scale for module in adapters.values())
    if scale <= 0:
        raise ValueError(f"alpha > 0 must hold in PEFT's AdaLoRA format, but got {scale * rank:g}")
    flags = {
        f"{name}.lora_E": [i in set(triplets.tolist()) for i in range(rank)]
        for name, triplets in live.items()
    }
    config = {
        **_config(model, live, head),
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
    for name, triplets in live.items():
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
        raise ValueError("the model must have adapters, but has none: call inject first")
    names = [name for name, _ in model.named_modules()]
    absent = [name for name in head if name not in names]
    if absent:
        raise ValueError(f"head must name modules of the model, but has none called {absent}")
    inside = [name for name in adapters if any(f"{name}.".startswith(f"{h}.") for h in head)]
    if inside:
        raise ValueError(f"the head must be saved whole, but {inside[0]!r} in it has an adapter")
    taken = tuple(head) + (CLASSIFIERS if task_type == "SEQ_CLS" else ())
    others = [name for name in names if name.endswith(taken) and name not in head] if taken else []
    if others:
        raise ValueError(
            f"head must name every module that PEFT takes for it, those whose names end in "
            f"{', '.join(taken)}, but {others} are not named"
        )


def _live_triplets(adapters: Mapping[str, AdaptedLinear]) -> dict[str, Tensor]:
    """Which triplets of a layer have a value that is not 0, for the layers that have any."""
    live = {name: _values(module).nonzero()[:, 0] for name, module in adapters.items()}
    found = {name: triplets for name, triplets in live.items() if len(triplets)}
    return found or {next(iter(adapters)): torch.tensor([0])}


def _values(module: AdaptedLinear) -> Tensor:
    """The singular values (rank) as the forward pass sees them; LoRA's are 1."""
    if isinstance(module, SVDLinear):
        return module.effective_lam()
    return torch.ones(module.rank, device=module.P.device)


def _config(model: nn.Module, live: Mapping[str, Any], head: Sequence[str]) -> dict[str, Any]:
    dropout = next(iter(adapted_layers(model).values())).dropout
    return {
        "target_modules": _targets(model, list(live)),
        "modules_to_save": list(head) or None,
        "lora_dropout": dropout,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }


def _targets(model: nn.Module, layers: list[str]) -> list[str] | str:
    """The names, or one regular expression where a name is also the end of another layer's."""
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
    plain = {
        PREFIX + name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    save_file(plain, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
