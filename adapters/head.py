"""The modules that train as a whole beside the adapters: the head of a classifier."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adapters.selection import shortened


class Head:
    """Trained modules of a model, with their values from before the training.

    Args:
        model: The model, before it is adapted.
        names: Names of the modules. None: see `head_names`.

    Raises:
        ValueError: the model has no such module.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1, bias=False))
        >>> head = Head(model, ["1"])
        >>> model[1].weight.data += 1
        >>> head.reset()
        >>> torch.equal(model[1].weight, head.start["1.weight"])
        True
    """

    def __init__(self, model: nn.Module, names: Sequence[str] | None = None) -> None:
        self.names = head_names(model) if names is None else list(names)
        known = [name for name, _ in model.named_modules() if name]
        unknown = [name for name in self.names if name not in known]
        if unknown or isinstance(names, str):
            raise ValueError(
                "head must be a list of names of modules of the model, but got "
                f"{names!r}; some of them are {shortened(known)}"
            )
        self._modules = {name: model.get_submodule(name) for name in self.names}
        self.start = {key: tensor.detach().clone() for key, tensor in self._tensors().items()}
        """Values from before the training, by name."""

    def train(self) -> None:
        """Makes the parameters of the head require gradients."""
        for module in self._modules.values():
            module.requires_grad_(True)

    @contextmanager
    def initial(self) -> Iterator[None]:
        """Gives the head the values from before the training within the context."""
        trained = {key: tensor.data for key, tensor in self._tensors().items()}
        self.reset()
        try:
            yield
        finally:
            for key, tensor in self._tensors().items():
                tensor.data = trained[key]

    def reset(self) -> None:
        """Gives the head the values from before the training."""
        for key, tensor in self._tensors().items():
            tensor.data = self.start[key].to(tensor.device).clone()

    def save(self, file: Path) -> None:
        """Writes the head's values to a safetensors file."""
        from safetensors.torch import save_file

        tensors = {key: t.detach().cpu().contiguous() for key, t in self._tensors().items()}
        save_file(tensors, file)

    @torch.no_grad()
    def load(self, file: Path) -> None:
        """Copies in values that `save` wrote.

        Raises:
            ValueError: the file is missing or damaged, or is of another head.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            saved = load_file(file)
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"{file}: must be the head of a saved run, but got {error}; give the folder that "
                "save() wrote"
            ) from error
        own = self._tensors()
        shapes = [{key: tuple(t.shape) for key, t in tensors.items()} for tensors in (own, saved)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{file}: the head must have the tensors {shapes[0]}, but got {shapes[1]}; name "
                "the head of the saved run"
            )
        for key, tensor in own.items():
            tensor.copy_(saved[key])

    def _tensors(self) -> dict[str, Tensor]:
        """Returns the head's parameters and buffers by name."""
        return {
            f"{name}.{key}": tensor
            for name, module in self._modules.items()
            for key, tensor in module.state_dict(keep_vars=True).items()
        }


def head_names(model: nn.Module) -> list[str]:
    """Returns the modules outside the backbone of a transformers model; none for other models.

    The output layer of a language model is not a head: it is trained already, and often shares
    its weight with the embedding.

    Example:
        >>> head_names(nn.Sequential(nn.Linear(2, 2)))
        []
    """
    own: Any = model
    backbone = getattr(model, getattr(model, "base_model_prefix", None) or "", None)
    if not isinstance(backbone, nn.Module):
        return []
    inside = {id(weight) for weight in backbone.parameters()}
    output = own.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return [
        name
        for name, child in model.named_children()
        if child is not backbone
        and (output is None or output not in child.modules())
        and any(True for _ in child.parameters())
        and not any(id(weight) in inside for weight in child.parameters())
    ]
