import pytest
import torch

from adapters import orthogonality, penalty_backward
from adapters.orthogonality import _GramGaps, gram_gap
from tests.adapters.tiny_models import linear_adapters

SHAPES = [(6, 9), (9, 6), (6, 9), (7, 7)]


def naive(adapters):
    total = 0.0
    for module in adapters.values():
        eye = torch.eye(module.rank)
        total = total + (module.P.T @ module.P - eye).norm() + (module.Q @ module.Q.T - eye).norm()
    return total / (2 * len(adapters))


def gradients(loss, adapters):
    weights = [w for module in adapters.values() for w in (module.P, module.Q)]
    return torch.autograd.grad(loss, weights)


def test_value_and_gradient_equal_the_formula():
    adapters = linear_adapters(SHAPES, 4)
    torch.testing.assert_close(orthogonality(adapters), naive(adapters))
    got = gradients(0.3 * orthogonality(adapters), adapters)
    expected = gradients(0.3 * naive(adapters), adapters)
    for actual, reference in zip(got, expected, strict=True):
        torch.testing.assert_close(actual, reference)


def test_singular_values_get_no_gradient():
    adapters = linear_adapters(SHAPES, 4)
    orthogonality(adapters).backward()
    assert all(module.lam.grad is None for module in adapters.values())


def test_orthonormal_vectors_have_no_penalty_and_a_zero_gradient():
    adapters = linear_adapters(SHAPES, 4)
    for module in adapters.values():
        # Unit vectors are exact in float32; the derivative of the norm is 0 / 0 there.
        module.P.data.copy_(torch.eye(module.P.shape[0])[:, :4])
        module.Q.data.copy_(torch.eye(module.Q.shape[1])[:4])
    penalty = orthogonality(adapters)
    penalty.backward()
    assert penalty == 0
    for module in adapters.values():
        assert torch.equal(module.P.grad, torch.zeros_like(module.P))
        assert torch.equal(module.Q.grad, torch.zeros_like(module.Q))


def test_gradient_descent_on_the_penalty_makes_vectors_orthonormal():
    adapters = linear_adapters([(9, 8)], 4)
    weights = [adapters["layer0"].P, adapters["layer0"].Q]
    optimizer = torch.optim.Adam(weights, lr=0.05)
    start = orthogonality(adapters).item()
    for _ in range(200):
        optimizer.zero_grad()
        orthogonality(adapters).backward()
        optimizer.step()
    assert orthogonality(adapters).item() < 0.05 * start


def test_frozen_vectors_get_no_gradient():
    adapters = linear_adapters(SHAPES, 4)
    adapters["layer0"].P.requires_grad_(False)
    orthogonality(adapters).backward()
    assert adapters["layer0"].P.grad is None
    assert adapters["layer0"].Q.grad is not None


def test_penalty_backward_adds_to_the_gradients_and_calls_no_hook():
    adapters = linear_adapters(SHAPES, 4)
    first, frozen = adapters["layer0"], adapters["layer1"].Q.requires_grad_(False)
    first.P.grad = torch.ones_like(first.P)
    fired = []
    for module in adapters.values():
        module.P.register_post_accumulate_grad_hook(lambda _: fired.append(1))
    expected = torch.autograd.grad(0.3 * naive(adapters), [first.P, first.Q])
    penalty_backward(0.3 * orthogonality(adapters), adapters)
    torch.testing.assert_close(first.P.grad, expected[0] + 1)
    torch.testing.assert_close(first.Q.grad, expected[1])
    assert first.P.grad.stride() == first.P.stride()
    assert frozen.grad is None
    assert not fired


def test_gram_gap_is_computed_per_lane():
    rows = torch.randn(2, 3, 4, 6)
    gaps = gram_gap(rows)
    torch.testing.assert_close(gaps[1, 2], gram_gap(rows[1, 2]))
    torch.testing.assert_close(gaps[1, 2] + torch.eye(4), rows[1, 2] @ rows[1, 2].T)


def test_no_adapters_are_refused():
    with pytest.raises(ValueError, match="at least one adapted layer, but got none"):
        orthogonality({})


@pytest.mark.parametrize("lanes", [(2,), (4,), (2, 3)])
def test_lanes_are_separate_matrices(lanes):
    generator = torch.Generator().manual_seed(0)
    packed = [torch.randn(*lanes, 4, 9, generator=generator).requires_grad_() for _ in range(2)]
    norms = [gram_gap(weight).flatten(0, -3).flatten(1).norm(dim=-1).sum() for weight in packed]
    expected = torch.autograd.grad(sum(norms), packed)
    total = _GramGaps.apply(*packed)
    torch.testing.assert_close(total, sum(norms))
    for actual, reference in zip(torch.autograd.grad(total, packed), expected, strict=True):
        torch.testing.assert_close(actual, reference)


@pytest.mark.parametrize("inside", [True, False])
def test_autocast_does_not_apply_to_value_and_gradient(inside):
    adapters = linear_adapters(SHAPES, 4)
    expected = gradients(orthogonality(adapters), adapters)
    with torch.autocast("cpu", torch.bfloat16):
        penalty = orthogonality(adapters)
        actual = gradients(penalty, adapters) if inside else None
    assert torch.equal(penalty, orthogonality(adapters))
    actual = actual or gradients(penalty, adapters)
    assert all(map(torch.equal, actual, expected))


def test_a_compiled_penalty_is_left_to_python(monkeypatch):
    """torch.compile leaves a function that raises uncompiled; its backward pass has no notes."""
    adapters = linear_adapters([(4, 3)], 2)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with pytest.raises(ValueError, match=r"must be computed outside torch\.compile"):
        orthogonality(adapters)
