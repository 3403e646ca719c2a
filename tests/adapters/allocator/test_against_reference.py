"""RankAllocator equals the reference implementation for random weights, rates and schedules."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters import CubicBudget, ParameterBudget, RankAllocator, orthogonality
from tests.adapters.reference import Reference, without_penalty
from tests.adapters.tiny_models import draw_gradients, linear_adapters

SHAPES = [(3, 5), (5, 3), (3, 5), (4, 4)]  # (in, out): two of one shape, and a square one

rates = st.sampled_from([0.0, 0.05, 0.3, 0.5, 1.0])


@st.composite
def setups(draw):
    total = draw(st.integers(2, 14))
    b0 = draw(st.integers(1, 4))
    ranks = draw(st.none() | st.lists(st.integers(1, 4), min_size=4, max_size=4))
    unit = draw(st.sampled_from(["triplets", "parameters"]))
    most = min(b0, sum(ranks) // len(ranks)) if ranks else b0
    if unit == "parameters":
        costs = [width + out + 1 for width, out in SHAPES]
        start = sum(c * r for c, r in zip(costs, ranks or [b0] * 4, strict=True))
        bT = draw(st.integers(max(costs), start))
    else:
        bT = draw(st.integers(1, most))
    final_fraction = draw(st.sampled_from([0.0, 0.15, 0.4]))
    T = round((1 - final_fraction) * total)
    return {
        "total_steps": total,
        "b0": b0,
        "ranks": ranks,
        "unit": unit,
        "bT": bT,
        "final_fraction": final_fraction,
        "warmup_steps": draw(st.integers(0, T - 1)),
        "deltaT": draw(st.integers(1, 5)),
        "beta1": draw(st.sampled_from([0.0, 0.5, 0.85, 0.99])),
        "beta2": draw(st.sampled_from([0.0, 0.6, 0.95])),
        "p": draw(rates),
        "p_reintroduce": draw(rates),
        "prune_mode": draw(st.sampled_from(["zero", "mask"])),
        "final_mask": draw(st.sampled_from(["stochastic", "deterministic"])),
        "mask_seed": draw(st.integers(-(2**63), 2**64)),
    }


def adapters_of(setup):
    return linear_adapters(SHAPES, setup.get("ranks") or setup["b0"])


def allocator_of(adapters, setup):
    schedule = ("total_steps", "bT", "final_fraction", "warmup_steps", "deltaT")
    steps = {key: setup[key] for key in schedule}
    if setup.get("unit") == "parameters":
        budget = ParameterBudget.of(adapters, **steps)
    else:
        ranks = setup.get("ranks")
        budget = CubicBudget(
            b0=tuple(ranks) if ranks else setup["b0"], matrices=len(adapters), **steps
        )
    others = {k: v for k, v in setup.items() if k not in (*schedule, "b0", "ranks", "unit")}
    return RankAllocator(adapters, budget, **others)


def as_lists(adapters, attribute):
    matrices = []
    for module in adapters.values():
        tensors = {"P": module.P, "lam": module.lam, "Q": module.Q}
        matrices.append({k: getattr(t, attribute).tolist() for k, t in tensors.items()})
    return matrices


def optimizer_step(adapters, step):
    """Changes all weights at random, pruned values included."""
    generator = torch.Generator().manual_seed(step)
    for module in adapters.values():
        for weight in (module.P, module.lam, module.Q):
            weight.data += 0.3 * torch.randn(weight.shape, generator=generator)


def is_unambiguous(reference, rounding=1e-4):
    """Returns whether float32 rounding cannot change which triplets were chosen."""
    costs = reference.costs
    ranked = sorted(
        (s / c for s, c in zip(reference.last_scores, costs, strict=True)), reverse=True
    )
    chosen = sum(reference.top)
    if chosen == len(ranked):
        return True
    last, first_out = ranked[chosen - 1], ranked[chosen]
    return last - first_out > rounding * last


@settings(max_examples=100)
@given(setups())
def test_every_step_equals_the_reference(setup):
    adapters = adapters_of(setup)
    allocator = allocator_of(adapters, setup)
    reference = Reference([(out, width) for width, out in SHAPES], setup)
    for step in range(setup["total_steps"]):
        draw_gradients(adapters, step)
        optimizer_step(adapters, step)
        weights = as_lists(adapters, "data")
        reference.step(weights, as_lists(adapters, "grad"))
        allocator.step()
        if reference.last_scores is not None:
            assume(is_unambiguous(reference))
        assert allocator.kept().tolist() == reference.keep
        assert allocator.scores().tolist() == pytest.approx(reference.scores(), rel=1e-4)
        for module, matrix in zip(adapters.values(), weights, strict=True):
            assert module.lam.tolist() == matrix["lam"]


def task_loss(adapters, step):
    """Returns a loss that depends on the adapters through their updates, as a model's does."""
    generator = torch.Generator().manual_seed(177 + step)
    return sum(
        (module.delta() * torch.randn(module.delta().shape, generator=generator)).sum()
        for module in adapters.values()
    )


@settings(max_examples=20)
@given(
    st.sampled_from(["task", "task", "total"]),
    setups(),
    st.sampled_from([0.01, 0.1, 2.0]),
    st.sampled_from([0.05, 0.5, 1e9]),
    st.sampled_from([1.0, 2.0**12]),
    st.booleans(),
)
def test_scores_with_a_penalty_equal_the_reference(score_loss, setup, gamma, clip, scale, first):
    """The step's gradient is unscaled and clipped; the penalty is added before or after."""
    adapters = adapters_of(setup)
    allocator = allocator_of(adapters, setup | {"score_loss": score_loss})
    reference = Reference([(out, width) for width, out in SHAPES], setup)
    weights = [w for m in adapters.values() for w in (m.P, m.lam, m.Q)]
    for step in range(setup["total_steps"]):
        losses = [task_loss(adapters, step), gamma * orthogonality(adapters)]
        for loss in reversed(losses) if first else losses:
            (scale * loss).backward()
        for weight in weights:
            weight.grad /= scale
        norm = float(torch.nn.utils.clip_grad_norm_(weights, clip))
        used = without_penalty(
            as_lists(adapters, "grad"),
            as_lists(adapters, "data"),
            gamma * min(1, clip / (norm + 1e-6)) if score_loss == "task" else 0.0,
        )
        optimizer_step(adapters, step)
        after = as_lists(adapters, "data")
        reference.step(after, used)
        allocator.step()
        assert allocator.scores().tolist() == pytest.approx(reference.scores(), rel=1e-3)
        if reference.last_scores is not None:
            assume(is_unambiguous(reference, 1e-3))
        assert allocator.kept().tolist() == reference.keep
        for weight in weights:
            weight.grad = None


def test_the_trace_equals_the_reference():
    setup = {
        "total_steps": 12,
        "b0": 3,
        "bT": 1,
        "final_fraction": 0.15,
        "warmup_steps": 1,
        "deltaT": 4,
        "beta1": 0.85,
        "beta2": 0.9,
        "p": 0.3,
        "p_reintroduce": 0.4,
        "prune_mode": "zero",
        "final_mask": "stochastic",
        "mask_seed": 11,
    }
    adapters = linear_adapters(SHAPES, 3)
    allocator = allocator_of(adapters, setup)
    reference = Reference([(out, width) for width, out in SHAPES], setup)
    expected = []
    for step in range(12):
        draw_gradients(adapters, step)
        optimizer_step(adapters, step)
        events = reference.event
        reference.step(as_lists(adapters, "data"), as_lists(adapters, "grad"))
        allocator.step()
        if reference.event > events:
            pairs = list(zip(reference.keep, reference.top, strict=True))
            ranks = [sum(reference.keep[k * 3 : k * 3 + 3]) for k in range(len(SHAPES))]
            expected.append(
                {
                    "t": reference.t,
                    "budget": reference.last_budget,
                    "kept": sum(reference.keep),
                    "reintroduced": sum(kept and not top for kept, top in pairs),
                    "dropped": sum(top and not kept for kept, top in pairs),
                    "ranks": dict(zip(adapters, ranks, strict=True)),
                    "penalty_share": 0.0,
                }
            )
    assert [row["t"] for row in expected] == [4, 8, 10]
    assert allocator.trace() == expected
