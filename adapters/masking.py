"""Which triplets survive a mask event: the budget's top, then chance.

Equation 1 of the seed paper (AdaLoRA+RS), with R_i ~ Bernoulli, independent per triplet and event:

    a top triplet is dropped        with probability p
    any other is kept after all     with probability p_reintroduce   (= p in the paper)

This is the only place where randomness enters. Triplet i of event e draws the uniform

    u_i = (mix(key + (i + 1) GOLDEN) >> 11) / 2**53
    key = mix(mix(seed + GOLDEN) + (e + 1) GOLDEN)

where `mix` is the output function of splitmix64 (Steele, Lea, Flood 2014) and all arithmetic is
modulo 2**64. The draw is made on the CPU and depends on (seed, e, i) alone: no state to save, the
same on every device, after a resume, and whatever p is.
"""

import torch
from torch import Tensor

from adapters._shapes import Bool, Float, Number

GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 1 << 64


def keep_top(scores: Float[Tensor, "*lanes n"], budget: int) -> Bool[Tensor, "*lanes n"]:
    """Marks exactly `budget` triplets per lane: the largest scores, ties to the lower index."""
    order = torch.sort(scores, dim=-1, descending=True, stable=True).indices
    top = torch.zeros_like(scores, dtype=torch.bool)
    return top.scatter_(-1, order[..., :budget], True)


def flip(
    top: Bool[Tensor, "*lanes n"],
    uniforms: Float[Tensor, "*lanes n"],
    p: Number,
    p_reintroduce: Number,
) -> Bool[Tensor, "*lanes n"]:
    """Returns which triplets are kept once chance has had its say (equation 1).

    Args:
        top: The budget's choice, on any device.
        uniforms: One uniform in [0, 1) per triplet, on the CPU.
        p: Probability of dropping a top triplet.
        p_reintroduce: Probability of keeping any other.
    """
    chance = torch.stack((uniforms >= p, uniforms < p_reintroduce))
    stay, come_back = chance.to(top.device, non_blocking=True)
    return torch.where(top, stay, come_back)


def event_uniforms(seed: int, event: int, n: int) -> Float[Tensor, " n"]:
    """Returns the float64 uniforms in [0, 1) of event number `event` for triplets 0 … n-1."""
    key = _mix_int(_mix_int(seed + GOLDEN) + (event + 1) * GOLDEN)
    state = torch.arange(1, n + 1) * _signed(GOLDEN) + _signed(key)
    state = (state ^ _shift(state, 30)) * _signed(_FIRST)
    state = (state ^ _shift(state, 27)) * _signed(_SECOND)
    return _shift(state ^ _shift(state, 31), 11).double() * 2.0**-53


def _mix_int(state: int) -> int:
    state %= _WORD
    state = (state ^ (state >> 30)) * _FIRST % _WORD
    state = (state ^ (state >> 27)) * _SECOND % _WORD
    return state ^ (state >> 31)


def _signed(word: int) -> int:
    """The int64 with the bits of a 64-bit word; torch's products wrap as unsigned ones do."""
    word %= _WORD
    return word - _WORD if word >= _WORD // 2 else word


def _shift(state: Tensor, bits: int) -> Tensor:
    """Shifts right with zeros coming in, where torch's int64 would repeat the sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
