import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import CubicBudget, LoRALinear, orthogonality, penalty_backward
from tests.adapters.allocator.tiny_allocators import BUDGET, SHAPES, advance, lams, make
from tests.adapters.tiny_models import (
    Run,
    draw_gradients,
    linear_adapters,
    svd_adapters,
    tiny_batch,
    tiny_opt,
)

# Without a Bernoulli mask: AdaLoRA


def test_with_p_0_every_event_keeps_exactly_the_budget():
    adapters, allocator = make()
    for t in range(1, 21):
        advance(adapters, allocator)
        if BUDGET.is_event(t):
            assert allocator.kept().sum() == BUDGET.budget(t)
            assert (lams(adapters) != 0).sum() == BUDGET.budget(t)
    assert [row["kept"] for row in allocator.trace()] == [b for _, b in BUDGET.events()]
    assert all(row["reintroduced"] == row["dropped"] == 0 for row in allocator.trace())


@settings(max_examples=25)
@given(st.permutations(range(5)), st.integers(0, 100))
def test_with_p_0_the_order_of_modules_does_not_change_the_kept_set(order, seed):
    shapes = [(4, 6), (6, 4), (5, 5), (4, 6), (5, 5)]
    budget = CubicBudget(6, 3, 1, 5, deltaT=2)
    straight = linear_adapters(shapes, 3)
    names = list(straight)
    shuffled = {names[k]: linear_adapters(shapes, 3)[names[k]] for k in order}
    kept = []
    for adapters in (straight, shuffled):
        _, allocator = make(adapters, budget)
        for step in range(5):
            draw_gradients({name: adapters[name] for name in names}, seed + step)
            allocator.step()
        kept.append({n: m.lam.detach().ne(0).tolist() for n, m in adapters.items()})
    assert kept[0] == kept[1]


def test_equal_scores_are_pruned_from_the_end_of_the_model():
    adapters, allocator = make()
    for module in adapters.values():
        for weight in (module.P, module.lam, module.Q):
            weight.grad = torch.zeros_like(weight)
    for _ in range(3):
        allocator.step()
    budget = BUDGET.budget(3)
    assert allocator.kept().tolist() == [True] * budget + [False] * (12 - budget)


def test_equal_start_and_end_budgets_prune_nothing():
    adapters, allocator = make(budget=CubicBudget(6, 4, 4, 3, deltaT=2))
    advance(adapters, allocator, 6)
    assert allocator.rank() == 12


def test_pruned_values_regrow_between_events_but_not_after_the_last():
    adapters, allocator = make()
    advance(adapters, allocator, 3)
    assert allocator.rank() == BUDGET.budget(3)
    advance(adapters, allocator)
    assert allocator.rank() == 12
    advance(adapters, allocator, 10)
    assert allocator.t == BUDGET.T
    pruned = ~allocator.kept()
    for _ in range(6):
        advance(adapters, allocator)
        assert not lams(adapters)[pruned].any()
        assert allocator.rank() == 6


def test_kept_values_are_those_of_the_optimizer():
    adapters, allocator = make()
    unpruned = linear_adapters(SHAPES, 4)
    _, idle = make(unpruned, CubicBudget(20, 4, 4, 3, deltaT=20))
    advance(adapters, allocator, 3)
    advance(unpruned, idle, 3)
    kept = allocator.kept()
    assert torch.equal(lams(adapters)[kept], lams(unpruned)[kept])
    for module, other in zip(adapters.values(), unpruned.values(), strict=True):
        assert torch.equal(module.P, other.P)
        assert torch.equal(module.Q, other.Q)


def test_there_is_no_event_during_warm_up():
    budget = CubicBudget(20, 4, 2, 3, warmup_steps=7, deltaT=3)
    adapters, allocator = make(budget=budget)
    advance(adapters, allocator, 8)
    assert allocator.trace() == []
    assert allocator.kept().all()
    advance(adapters, allocator, 1)
    assert [row["t"] for row in allocator.trace()] == [9]


def test_scores_do_not_change_from_the_last_event_on():
    adapters, allocator = make()
    advance(adapters, allocator, BUDGET.T - 1)
    before = allocator.scores()
    advance(adapters, allocator, 5)
    assert torch.equal(allocator.scores(), before)


# With a Bernoulli mask


def test_a_skipped_step_is_counted_but_changes_no_score():
    adapters, allocator = make()
    advance(adapters, allocator, 2)
    before = allocator.scores()
    draw_gradients(adapters, 2)
    allocator.step(skipped=True)
    assert allocator.t == allocator.trace()[-1]["t"] == 3
    assert torch.equal(allocator.scores(), before)
    assert allocator.missing_gradients == 0


def test_masks_depend_on_seed_event_and_triplet_but_not_on_scores():
    kept = []
    for noise in (0.1, 3.0):
        adapters, allocator = make(p=1.0, p_reintroduce=0.5, mask_seed=3)
        advance(adapters, allocator, 3, noise)
        kept.append(allocator.kept())
    budget = CubicBudget(20, 4, 4, 3, deltaT=3)
    drawn = []
    for noise in (0.1, 3.0):
        adapters, allocator = make(budget=budget, p=0.5, mask_seed=3)
        advance(adapters, allocator, 3, noise)
        drawn.append(allocator.kept())
    assert torch.equal(drawn[0], drawn[1])
    assert 0 < drawn[0].sum() < 12


def test_masks_differ_between_seeds_and_events():
    budget = CubicBudget(20, 4, 4, 3, deltaT=3)
    masks = []
    for seed in (0, 1):
        adapters, allocator = make(budget=budget, p=0.5, mask_seed=seed)
        for _ in range(2):
            advance(adapters, allocator, 3)
            masks.append(tuple(allocator.kept().tolist()))
    assert len(set(masks)) == 4


def test_p_reintroduce_defaults_to_p():
    assert make(p=0.3)[1].p_reintroduce == 0.3
    assert make(p=0.3, p_reintroduce=0.0)[1].p_reintroduce == 0.0
    adapters, allocator = make(p=0.5, p_reintroduce=0.0)
    advance(adapters, allocator, 14)
    trace = allocator.trace()
    assert all(row["reintroduced"] == 0 for row in trace)
    assert sum(row["dropped"] for row in trace) > 0


def test_a_deterministic_final_mask_is_the_top_of_the_budget():
    for final_mask, expected in (("deterministic", 0), ("stochastic", 6)):
        adapters, allocator = make(p=1.0, p_reintroduce=1.0, final_mask=final_mask)
        advance(adapters, allocator, 20)
        last = allocator.trace()[-1]
        assert (last["t"], last["budget"], last["dropped"]) == (14, 6, expected)
        assert allocator.kept().sum() == 6


def test_counts_of_the_trace_add_up():
    adapters, allocator = make(p=0.4)
    advance(adapters, allocator, 20)
    for row in allocator.trace():
        assert row["kept"] == row["budget"] - row["dropped"] + row["reintroduced"]
        assert sum(row["ranks"].values()) == row["kept"]
        assert list(row["ranks"]) == list(adapters)


# prune_mode = mask


def masked_run():
    return make(p=0.4, prune_mode="mask", mask_seed=1)


def test_mask_mode_restores_masked_values_bit_for_bit():
    adapters, allocator = masked_run()
    advance(adapters, allocator, 3)
    value = lams(adapters)
    returned = 0
    for t in range(4, 15):
        masked = ~allocator.kept()
        before = lams(adapters)
        advance(adapters, allocator)
        assert torch.equal(lams(adapters)[masked], before[masked])
        if BUDGET.is_event(t):
            back = masked & allocator.kept()
            returned += int(back.sum())
            assert torch.equal(lams(adapters)[back], before[back])
    assert returned > 0
    assert value.all()


def test_mask_mode_changes_the_forward_pass_but_not_lam():
    adapters, allocator = masked_run()
    advance(adapters, allocator, 3)
    kept = allocator.kept()
    assert lams(adapters).all()
    effective = torch.cat([module.effective_lam() for module in adapters.values()])
    assert torch.equal(effective != 0, kept)
    assert allocator.rank() == kept.sum()
    assert allocator.trace()[0]["kept"] == kept.sum()


def test_masked_values_are_not_changed_by_momentum_or_weight_decay():
    budget = CubicBudget(15, 4, 1, 6, final_fraction=0.3, deltaT=5)
    run = Run(budget, layers=1, prune_mode="mask").steps(budget.T)
    masked = ~run.allocator.kept()
    before = lams(run.adapters)
    run.steps(5)
    assert torch.equal(lams(run.adapters)[masked], before[masked])
    assert not torch.equal(lams(run.adapters)[~masked], before[~masked])


def test_the_first_event_is_the_same_in_both_prune_modes():
    runs = []
    for mode in ("zero", "mask"):
        adapters, allocator = make(p=0.4, prune_mode=mode)
        advance(adapters, allocator, 3)
        runs.append((allocator.kept(), allocator.scores()))
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


# Devices, dtypes, memory


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_steps_do_not_synchronise_with_the_device(prune_mode):
    # Tensors on `meta` have no values: reading one on the host raises.
    adapters = linear_adapters(SHAPES, 4, device="meta")
    _, allocator = make(adapters, p=0.3, prune_mode=prune_mode)
    for step in range(20):
        draw_gradients(adapters, step)
        allocator.step()
    assert allocator.t == 20
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        allocator.trace()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_gpu_and_cpu_give_the_same_masks_without_synchronisation(prune_mode):
    results = []
    for device in ("cpu", "cuda"):
        adapters = linear_adapters(SHAPES, 4, device=device)
        _, allocator = make(adapters, p=0.3, prune_mode=prune_mode)
        for step in range(20):
            draw_gradients(adapters, step)
            torch.cuda.set_sync_debug_mode("error" if device == "cuda" else "default")
            allocator.step()
            torch.cuda.set_sync_debug_mode("default")
        results.append((allocator.trace(), lams(adapters).cpu()))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_models_have_float32_scores_and_exact_budgets(dtype):
    model = tiny_opt(dtype=dtype)
    adapters = svd_adapters(model, 4)
    budget = CubicBudget(6, 4, 2, len(adapters), deltaT=2)
    _, allocator = make(adapters, budget)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for step in range(6):
        model(**tiny_batch(step)).loss.backward()
        optimizer.step()
        allocator.step()
        optimizer.zero_grad()
    assert allocator.scores().dtype == torch.float32
    assert allocator.scores().all()
    assert [row["kept"] for row in allocator.trace()] == [b for _, b in budget.events()]
    assert allocator.rank() == budget.budget(6)


@pytest.mark.parametrize(("dtype", "device"), [("float16", "cpu"), ("float64", "meta")])
def test_scores_and_masks_do_not_depend_on_the_defaults_for_new_tensors(dtype, device):
    results = []
    for changed in (False, True):
        adapters = linear_adapters(SHAPES, 4)
        gradients = {step: drawn(adapters, step) for step in range(20)}
        if changed:
            torch.set_default_dtype(getattr(torch, dtype))
            torch.set_default_device(device)
        try:
            _, allocator = make(adapters, p=0.3)
            for step in range(20):
                for weight, gradient in gradients[step]:
                    weight.grad = gradient
                penalty_backward(0.1 * orthogonality(adapters), adapters)
                allocator.step()
            results.append((allocator.scores(), lams(adapters), allocator.trace()))
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


def drawn(adapters, step):
    """Returns the weights and random gradients of a step."""
    draw_gradients(adapters, step)
    weights = [w for module in adapters.values() for w in (module.P, module.lam, module.Q)]
    return [(weight, weight.grad) for weight in weights]


def test_memory_beyond_the_two_averages_is_below_one_percent():
    budget = CubicBudget(1000, 8, 4, 24, deltaT=100)
    adapters = linear_adapters([(128, 128)] * 24, 8)
    _, allocator = make(adapters, budget)
    state = allocator.state_dict()
    averages = sum(t.nbytes for key in ("sensitivity", "uncertainty") for t in state[key])
    weights = sum(p.nbytes for m in adapters.values() for p in m.parameters(recurse=False))
    assert averages == 2 * weights
    assert sum(state[key].nbytes for key in ("keep", "stored", "trace")) < 0.01 * averages


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"beta1": 1.0}, "0 <= beta1 < 1"),
        ({"beta2": -0.1}, "0 <= beta2 < 1"),
        ({"p": 1.1}, "0 <= p <= 1"),
        ({"p_reintroduce": -0.1}, "0 <= p_reintroduce <= 1"),
        ({"budget": CubicBudget(20, 4, 2, 5)}, "budget's 5 matrices, but got 3"),
        ({"budget": CubicBudget(20, 6, 2, 3)}, "rank b0=6, but got ranks \\[4\\]"),
        ({"beta1": float("nan")}, "0 <= beta1 < 1 must hold"),
        ({"p": "0.1"}, "p must be a number, but got p='0.1'"),
        (
            {"prune_mode": "none"},
            "prune_mode must be one of zero, mask, but got",
        ),
        ({"final_mask": "top"}, "final_mask must be one of stochastic, deterministic, but got"),
        ({"score_loss": "penalty"}, "score_loss must be one of task, total, but got"),
        ({"mask_seed": 1.5}, "mask_seed must be an integer, but got mask_seed=1.5"),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_invalid_settings_are_refused_with_their_rule(settings, rule):
    with pytest.raises(ValueError, match=rule):
        make(linear_adapters(SHAPES, 4), **settings)


@pytest.mark.usefixtures("without_type_checks")
def test_layers_of_lora_are_refused():
    base = torch.nn.Linear(4, 4)
    layer = LoRALinear(base, 4, alpha=4, generator=torch.Generator())
    with pytest.raises(ValueError, match="'x' of type LoRALinear; call inject with kind='svd'"):
        make({"x": layer}, CubicBudget(20, 4, 2, 1))
