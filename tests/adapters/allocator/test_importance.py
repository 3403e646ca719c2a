import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from adapters import CubicBudget, RankAllocator
from adapters.allocator.importance import ShapeGroup, observe, triplet_score
from tests.adapters.tiny_models import draw_gradients, linear_adapters

BETA1, BETA2 = 0.8, 0.6


def weights(count=2, shape=(3, 4), dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).to(dtype) for _ in range(count)]


def give_gradients(group, step):
    generator = torch.Generator().manual_seed(step)
    for weight in group.weights:
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)


def observed(group, steps):
    for step in range(steps):
        give_gradients(group, step)
        observe([group], BETA1, BETA2)
    return group


class Operations(TorchDispatchMode):
    """Records the operations dispatched to a backend."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_scores_equal_the_published_formula():
    group = ShapeGroup(weights())
    smoothed = uncertainty = torch.zeros(2, 3, 4)
    for step in range(4):
        give_gradients(group, step)
        current = torch.stack([w * w.grad for w in group.weights]).abs()
        uncertainty = BETA2 * uncertainty + (1 - BETA2) * (current - smoothed).abs()
        smoothed = BETA1 * smoothed + (1 - BETA1) * current
        observe([group], BETA1, BETA2)
        torch.testing.assert_close(group.score(), smoothed * uncertainty)


def test_a_triplets_score_has_the_means_of_p_and_q_for_any_lanes():
    generator = torch.Generator().manual_seed(0)
    lam, P, Q = (torch.rand(2, 3, *shape, generator=generator) for shape in ((4,), (5, 4), (4, 6)))
    scores = triplet_score(lam, P, Q)
    expected = lam[1, 2, 3] + P[1, 2, :, 3].sum() / 5 + Q[1, 2, 3].sum() / 6
    torch.testing.assert_close(scores[1, 2, 3], expected)
    torch.testing.assert_close(scores[1], triplet_score(lam[1], P[1], Q[1]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_averages_are_float32_for_low_precision_weights(dtype):
    group = ShapeGroup(weights(dtype=dtype))
    for weight in group.weights:
        weight.mul_(1e-4)
        weight.grad = torch.full_like(weight, 1e-4)
    observe([group], BETA1, BETA2)
    # |w g| is about 1e-8, which underflows in float16; the score is of the order of its square.
    assert group.score().dtype == torch.float32
    assert group.score().all()


def test_a_weight_without_a_gradient_is_skipped_and_counted():
    group, other = observed(ShapeGroup(weights()), 2), observed(ShapeGroup(weights()), 2)
    sensitivity, uncertainty = group.sensitivity.clone(), group.uncertainty.clone()
    for each in (group, other):
        give_gradients(each, 9)
    group.weights[0].grad = None
    assert observe([group], BETA1, BETA2) == 1
    assert observe([other], BETA1, BETA2) == 0
    assert torch.equal(group.sensitivity[0], sensitivity[0])
    assert torch.equal(group.uncertainty[0], uncertainty[0])
    assert torch.equal(group.sensitivity[1], other.sensitivity[1])
    assert torch.equal(group.uncertainty[1], other.uncertainty[1])


def test_a_step_without_any_gradient_changes_nothing():
    group = observed(ShapeGroup(weights()), 2)
    before = group.score()
    for weight in group.weights:
        weight.grad = None
    assert observe([group], BETA1, BETA2) == 2
    assert torch.equal(group.score(), before)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_gradients_that_are_not_finite_change_nothing(value):
    groups = [observed(ShapeGroup(weights()), 2), observed(ShapeGroup(weights(3, (2,))), 2)]
    before = [group.score() for group in groups]
    for group in groups:
        give_gradients(group, 9)
    groups[0].weights[1].grad[0, 0] = value
    observe(groups, BETA1, BETA2)
    for group, score in zip(groups, before, strict=True):
        assert torch.equal(group.score(), score)


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_the_number_of_operations_of_a_step_does_not_grow_with_the_model(prune_mode):
    counts = []
    for layers in (2, 16):
        adapters = linear_adapters([(4, 6), (6, 4)] * layers, 3)
        budget = CubicBudget(8, 3, 1, len(adapters), final_fraction=0.3, deltaT=2)
        allocator = RankAllocator(
            adapters, budget, beta1=0.8, beta2=0.8, p=0.2, prune_mode=prune_mode, mask_seed=0
        )
        per_step = []
        for step in range(8):
            draw_gradients(adapters, step)
            with Operations() as operations:
                allocator.step()
            per_step.append(len(operations.names))
        counts.append(per_step)
    assert counts[0] == counts[1]
    # Two shapes of layers with P, lam and Q each: six groups.
    assert counts[0][0] <= 60
