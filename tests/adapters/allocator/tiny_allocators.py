"""A rank allocator over three small layers, and optimizer steps with random gradients."""

import torch

from adapters import CubicBudget, RankAllocator
from tests.adapters.tiny_models import draw_gradients, linear_adapters

SHAPES = [(4, 6), (6, 4), (5, 5)]
BUDGET = CubicBudget(20, 4, 2, 3, final_fraction=0.3, deltaT=3)  # events 3, 6, 9, 12, 14


def make(adapters=None, budget=BUDGET, **settings):
    adapters = adapters or linear_adapters(SHAPES, budget.b0)
    defaults = {"beta1": 0.85, "beta2": 0.85, "p": 0.0, "mask_seed": 0}
    return adapters, RankAllocator(adapters, budget, **(defaults | settings))


def advance(adapters, allocator, steps=1, noise=0.1):
    """Optimizer steps with random gradients; the optimizer changes every weight."""
    for _ in range(steps):
        draw_gradients(adapters, allocator.t)
        generator = torch.Generator().manual_seed(allocator.t)
        for module in adapters.values():
            for weight in (module.P, module.lam, module.Q):
                weight.data += noise * torch.randn(weight.shape, generator=generator)
        allocator.step()


def lams(adapters):
    return torch.cat([module.lam.detach() for module in adapters.values()])
