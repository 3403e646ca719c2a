import pytest
import torch
from torch import nn

from adapters import LoRALinear, SVDLinear
from adapters.svd import low_rank_update


def layer(kind=SVDLinear, dtype=torch.float32, **settings):
    torch.manual_seed(0)
    base = nn.Linear(6, 5).to(dtype).requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    module = kind(base, 3, **({"alpha": 12, "generator": generator} | settings))
    if kind is SVDLinear:
        module.lam.data.copy_(torch.tensor([0.5, -1.0, 2.0]))
    else:
        module.P.data.normal_(generator=generator)
    return module


def test_both_kinds_initially_compute_the_output_of_the_base_layer():
    x = torch.randn(4, 6)
    for kind in (SVDLinear, LoRALinear):
        base = nn.Linear(6, 5)
        module = kind(base, 3, alpha=12, generator=torch.Generator())
        assert torch.equal(module(x), base(x))


@pytest.mark.parametrize("kind", [SVDLinear, LoRALinear])
def test_an_adapted_layer_has_the_sizes_of_its_base(kind):
    module = layer(kind)
    assert (module.in_features, module.out_features) == (6, 5)


def test_the_update_is_the_triplets_times_alpha_over_rank():
    module = layer()
    x = torch.randn(2, 7, 6)
    weight = module.P @ torch.diag(module.lam) @ module.Q * (12 / 3)
    expected = module.base(x) + x @ weight.T
    torch.testing.assert_close(module(x), expected)
    torch.testing.assert_close(module.delta(), weight)


def test_the_update_of_lora_is_the_product_times_alpha_over_rank():
    module = layer(LoRALinear)
    x = torch.randn(4, 6)
    expected = module.base(x) + x @ (module.P @ module.Q * 4).T
    torch.testing.assert_close(module(x), expected)


def test_gradients_equal_those_of_the_formula():
    module = layer()
    x = torch.randn(4, 6, requires_grad=True)
    inputs = [x, module.P, module.lam, module.Q]
    got = torch.autograd.grad(module(x).square().sum(), inputs)
    plain = module.base(x) + x @ (module.P @ torch.diag(module.lam) @ module.Q * 4).T
    expected = torch.autograd.grad(plain.square().sum(), inputs)
    for actual, expected_gradient in zip(got, expected, strict=True):
        torch.testing.assert_close(actual, expected_gradient)


def test_p_and_q_are_normal_and_lam_is_zero_initially():
    module = SVDLinear(nn.Linear(400, 300), 8, alpha=8, generator=torch.Generator())
    for weight in (module.P, module.Q):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert abs(weight.mean()) < 0.002
    assert not module.lam.any()


def test_a_masked_value_is_excluded_and_gets_no_gradient():
    module = layer()
    module.mask = torch.tensor([True, False, True])
    x = torch.randn(4, 6)
    module(x).sum().backward()
    expected = module.P[:, [0, 2]] @ torch.diag(module.lam[[0, 2]]) @ module.Q[[0, 2]] * 4
    torch.testing.assert_close(module.delta(), expected)
    assert module.lam.grad[1] == 0
    assert module.lam.grad[[0, 2]].all()
    assert module.lam[1] == -1.0


def test_loading_a_state_with_a_mask_sets_the_mask():
    source, target = layer(), layer()
    source.mask = torch.tensor([True, False, True])
    target.load_state_dict(source.state_dict())
    assert torch.equal(target.mask, source.mask)
    x = torch.randn(4, 6)
    assert torch.equal(source(x), target(x))


def test_dropout_applies_to_the_input_of_the_update_in_training_mode_only():
    module = layer(dropout=0.5)
    x = torch.randn(4, 6)
    update = module.eval()(x) - module.base(x)
    assert torch.equal(module(x), module(x))
    torch.manual_seed(0)
    dropped = module.train()(x) - module.base(x)
    torch.manual_seed(0)
    expected = nn.functional.dropout(x, 0.5) @ module.delta().T
    torch.testing.assert_close(dropped, expected)
    assert not torch.allclose(dropped, update)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", [SVDLinear, LoRALinear])
def test_low_precision_layers_keep_float32_adapters_and_gradients(kind, dtype):
    module = layer(kind, dtype)
    x = torch.randn(4, 6, dtype=dtype)
    y = module(x)
    y.float().square().sum().backward()
    assert y.dtype == dtype
    expected = module.base(x).float() + x.float() @ module.delta().T
    torch.testing.assert_close(y.float(), expected, rtol=2e-2, atol=2e-2)
    for parameter in module.parameters():
        if parameter.requires_grad:
            assert parameter.dtype == parameter.grad.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_its_dtype_and_differentiates(dtype):
    module = layer()
    x = torch.randn(4, 6, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype):
        y = module(x)
    y.float().square().sum().backward()
    assert y.dtype == dtype
    expected = module.base(x) + x @ module.delta().T
    torch.testing.assert_close(y.float(), expected, rtol=5e-2, atol=5e-2)
    assert module.lam.grad.dtype == torch.float32
    assert x.grad.dtype == torch.float32


def test_lanes_are_independent_updates():
    generator = torch.Generator().manual_seed(0)
    y, x, P, Q = (
        torch.randn(2, 3, *shape, generator=generator)
        for shape in ((7, 5), (7, 6), (5, 4), (4, 6))
    )
    packed = low_rank_update(y.clone(), x, P, Q)
    for a in range(2):
        for b in range(3):
            single = low_rank_update(y[a, b].clone(), x[a, b], P[a, b], Q[a, b])
            torch.testing.assert_close(packed[a, b], single)


def test_an_adapted_layer_has_weight_and_bias_of_its_base():
    module = layer()
    assert module.weight is module.base.weight
    assert module.bias is module.base.bias
    assert "rank=3, scale=4, dropout=0" in repr(module)


@pytest.mark.parametrize("kind", [SVDLinear, LoRALinear])
def test_a_hook_on_the_base_layer_captures_the_base_layer_s_output(kind):
    module, captured = layer(kind), []
    module.base.register_forward_hook(lambda *arguments: captured.append(arguments[-1]))
    x = torch.randn(4, 6)
    assert not torch.equal(module(x), captured[0])
    assert torch.equal(captured[0], nn.functional.linear(x, module.base.weight, module.base.bias))


class Rectified(nn.Linear):
    """A linear layer that ends in an activation."""

    def forward(self, x):
        return super().forward(x).relu()


@pytest.mark.parametrize("kind", [SVDLinear, LoRALinear])
def test_the_gradient_through_a_base_layer_that_ends_in_an_activation_is_exact(kind):
    module = layer(kind)
    rectified = Rectified(6, 5).requires_grad_(False)
    rectified.load_state_dict(module.base.state_dict())
    module.base = rectified
    x = torch.randn(4, 6, requires_grad=True)
    expected = x @ rectified.weight.T + rectified.bias
    expected = expected.relu() + x @ module.delta().T
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    torch.testing.assert_close(torch.autograd.grad(module(x).square().sum(), x)[0], gradient)


@pytest.mark.parametrize("kind", [SVDLinear, LoRALinear])
def test_the_delta_is_float32_under_autocast(kind):
    module = layer(kind)
    with torch.autocast("cpu", torch.bfloat16):
        delta = module.delta()
    assert delta.dtype == torch.float32
    assert torch.equal(delta, module.delta())


@pytest.mark.parametrize("kind", [SVDLinear, LoRALinear])
def test_gradients_are_the_same_with_the_backward_pass_inside_and_outside_autocast(kind):
    x, gradients = torch.randn(4, 6), []
    for inside in (True, False):
        module = layer(kind)
        with torch.autocast("cpu", torch.bfloat16):
            loss = module(x).float().square().sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        own = dict(module.named_parameters(recurse=False))
        assert {weight.grad.dtype for weight in own.values()} == {torch.float32}
        gradients.append({name: weight.grad for name, weight in own.items()})
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name])


@pytest.fixture(params=[("float16", "cpu"), ("float64", "meta")], ids="-".join)
def defaults(request):
    """Other defaults of torch for new tensors."""
    dtype, device = request.param
    torch.set_default_dtype(getattr(torch, dtype))
    torch.set_default_device(device)
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


def test_weights_are_float32_on_the_layer_s_device_whatever_the_defaults_are(defaults):
    base = nn.Linear(6, 5, device="cpu", dtype=torch.float32)
    for kind in (SVDLinear, LoRALinear):
        module = kind(base, 3, alpha=12, generator=torch.Generator("cpu").manual_seed(1))
        own = dict(module.named_parameters(recurse=False))
        assert {(w.dtype, w.device.type) for w in own.values()} == {(torch.float32, "cpu")}
        assert torch.equal(module.Q, layer_with_common_defaults(kind).Q)


def layer_with_common_defaults(kind):
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    try:
        return kind(nn.Linear(6, 5), 3, alpha=12, generator=torch.Generator().manual_seed(1))
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(device)
