"""What the head reads of the last layer: the first token, the last one, or the mean.

The class of a family reads one of them (`Head.pooling`); ModernBERT's has a setting in its config
for two. For another, hooks give the head the pooled vector at the place that it reads: the class's
own forward and the parameters stay as they are.

The mean is over all tokens of a row, special tokens included, and not over padding. It is computed
in float32.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from study.models.families import FAMILIES, HEADS, POOLED, check_pooling


def own_pooling(family: str, config: Any) -> str:
    """Returns what the class of a family reads: `cls`, `mean` or `last`."""
    setting = HEADS[FAMILIES[family].base].setting
    return HEADS[FAMILIES[family].base].pooling if setting is None else getattr(config, setting)


def pooled(
    hidden: Float[Tensor, "batch length d"], real: Bool[Tensor, "batch length"], pooling: str
) -> Float[Tensor, "batch d"]:
    """Returns the mean over the real tokens of every row, or its last real token."""
    if pooling == "mean":
        weights = real.unsqueeze(-1)
        total = torch.where(weights, hidden, 0).sum(dim=1, dtype=torch.float32)
        return (total / weights.sum(dim=1)).to(hidden.dtype)
    places = torch.arange(real.shape[1], device=real.device)
    last = (places * real).argmax(dim=1)
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), last]


class Pooling:
    """Another pooling of a model than its class's own, until `remove`."""

    def __init__(self, model: nn.Module, family: str, pooling: str) -> None:
        """Changes what the head of `model` reads.

        Raises:
            InputError: the family cannot pool so.
        """
        check_pooling(family, pooling)
        head = HEADS[FAMILIES[family].base]
        self._pooling, self._causal = pooling, FAMILIES[family].causal
        self._config: Any = model.config
        self._handles: list[Any] = []
        self._own: dict[str, str] = {}
        self._real: Bool[Tensor, "batch length"] | None = None
        if pooling in ("auto", own_pooling(family, self._config)):
            return
        if head.setting is not None:
            self._own = {head.setting: own_pooling(family, self._config)}
            setattr(self._config, head.setting, pooling if pooling in head.settings else "cls")
        if pooling not in head.settings:
            states = model.get_submodule(head.states)
            self._handles = [
                model.register_forward_pre_hook(self._find_tokens, with_kwargs=True),
                states.register_forward_hook(self._pool),
            ]

    def remove(self) -> None:
        """Restores what the class of the model reads."""
        for handle in self._handles:
            handle.remove()
        for name, value in self._own.items():
            setattr(self._config, name, value)

    def _find_tokens(
        self, module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        ids = named["input_ids"] if "input_ids" in named else inputs[0]
        self._real = self._tokens(ids, named.get("attention_mask"))

    def _tokens(
        self, ids: Int[Tensor, "batch length"], mask: Tensor | None
    ) -> Bool[Tensor, "batch length"]:
        """Returns which tokens are no padding.

        Without a mask a batch of a causal model may be padded on the right: as in its class, a
        row ends with the last token that is not the padding token.
        """
        if mask is not None:
            return mask.bool()
        if not self._causal or self._config.pad_token_id is None:
            return torch.ones_like(ids, dtype=torch.bool)
        backwards = (ids != self._config.pad_token_id).flip(1)
        until_last: Tensor = backwards.cumsum(dim=1).flip(1) > 0
        return until_last

    def _pool(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        assert self._real is not None
        if isinstance(output, Tensor):
            return self._everywhere(output)
        if isinstance(output, tuple):
            return (self._everywhere(output[0]), *output[1:])
        output.last_hidden_state = self._everywhere(output.last_hidden_state)
        return output

    def _everywhere(self, hidden: Float[Tensor, "batch length d"]) -> Tensor:
        """Returns the pooled vector at every place of its row, whichever the head reads."""
        assert self._real is not None
        vector: Tensor = pooled(hidden, self._real, self._pooling)
        return vector.unsqueeze(1).expand_as(hidden)


def pooling_remark(family: str, config: Any, pooling: str, *, saved: bool) -> str:
    """Returns how to load weights that were trained with a pooling other than the class's own.

    Often nothing.

    Args:
        family: of the model.
        config: of the model in which the pooling is in use.
        pooling: as in the spec.
        saved: whether the config is saved with the weights; ModernBERT's has the pooling.
    """
    head, own = HEADS[FAMILIES[family].base], own_pooling(family, config)
    if pooling in head.settings:
        return "" if saved else f"load the base model with {head.setting}={pooling!r}"
    name, when = ("model", "after loading") if saved else ("base", "before PEFT wraps base")
    call = pooling_call(name, family, config, pooling)
    if not call:
        return ""
    return (
        f"the head reads the {POOLED[pooling]}, and the model's class the {POOLED[own]}: {when} "
        f"call study.models.{call}"
    )


def pooling_call(name: str, family: str, config: Any, pooling: str) -> str:
    """Returns the call that gives a loaded model a pooling that neither class nor config has.

    Often nothing. PEFT's model calls `forward` of its base, so that the base gets the pooling
    before it is wrapped.

    Args:
        name: of the variable that is the model.
        family: of the model.
        config: of the model in which the pooling is in use.
        pooling: as in the spec.
    """
    settings = HEADS[FAMILIES[family].base].settings
    if pooling in ("auto", own_pooling(family, config)) or pooling in settings:
        return ""
    return f"Pooling({name}, {family!r}, {pooling!r})"
