"""The adapters' weights alone: as a dict of tensors, and as a safetensors file."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from adapters.inject import adapted_layers
from adapters.svd import AdaptedLinear, SVDLinear

_SCALE = "adapters.scale"  # In the metadata of a file.


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Returns copies of P, lam, Q and, where one is set, the mask of every adapted layer.

    Keys are `<layer's name>.P` and so on; the backbone is not among them.
    """
    return {
        f"{name}.{key}": tensor.detach().clone()
        for name, module in adapted_layers(model).items()
        for key, tensor in _tensors(module).items()
    }


@torch.no_grad()
def load_adapter_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies a state into a model whose layers were adapted in the same way.

    Raises:
        ValueError: a tensor is missing, left over or of another shape. The model is unchanged.
    """
    adapters = adapted_layers(model)
    mine = {
        f"{name}.{key}": tensor
        for name, module in adapters.items()
        for key, tensor in _tensors(module).items()
        if key != "mask"
    }
    masks = {key: tensor for key, tensor in state.items() if key.endswith(".mask")}
    maskable = {f"{n}.mask": m for n, m in adapters.items() if isinstance(m, SVDLinear)}
    _check_keys(mine, {key: t for key, t in state.items() if key not in masks})
    for key, mask in masks.items():
        if key not in maskable or mask.shape != maskable[key].lam.shape:
            raise ValueError(f"the state's {key!r} must fit an adapted layer, but none has it")
    for key, tensor in mine.items():
        tensor.copy_(state[key])
    for key, module in maskable.items():
        module.mask = masks[key].to(module.lam.device).bool().clone() if key in masks else None


def save_adapters(
    model: nn.Module, path: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes `adapter_state` to a safetensors file, with any strings worth keeping beside it.

    The scale (alpha / rank) goes with it: the tensors mean nothing without.
    """
    from safetensors.torch import save_file

    save_file(adapter_state(model), path, metadata={**(metadata or {}), _SCALE: _scales(model)})


def load_adapters(model: nn.Module, path: str | Path) -> dict[str, str]:
    """Reads a file that `save_adapters` wrote into an adapted model; returns its metadata.

    Raises:
        ValueError: the file's tensors or their scale are not those of the model's adapters.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = dict(file.metadata() or {})
    scale = metadata.pop(_SCALE, None)
    if scale is not None and scale != _scales(model):
        raise ValueError(
            f"the adapters must have the file's scale (alpha / rank) {scale}, but got "
            f"{_scales(model)}: inject them with the alpha and rank that they were trained with"
        )
    load_adapter_state(model, state)
    return metadata


def _scales(model: nn.Module) -> str:
    return ", ".join(sorted({repr(module.scale) for module in adapted_layers(model).values()}))


def _tensors(module: AdaptedLinear) -> dict[str, Tensor]:
    own: dict[str, Tensor] = {"P": module.P, "Q": module.Q}
    if not isinstance(module, SVDLinear):
        return own
    mask = {} if module.mask is None else {"mask": module.mask}
    return {**own, "lam": module.lam, **mask}


def _check_keys(mine: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    missing, extra = sorted(mine.keys() - state.keys()), sorted(state.keys() - mine.keys())
    if missing or extra:
        raise ValueError(
            "the state must hold exactly the model's adapters, but "
            f"{len(missing)} tensors are missing {missing[:3]} and {len(extra)} left over "
            f"{extra[:3]}"
        )
    for key, tensor in mine.items():
        if tensor.shape != state[key].shape:
            raise ValueError(
                f"{key} must have the shape {tuple(tensor.shape)}, "
                f"but the state's has {tuple(state[key].shape)}"
            )
