import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import CubicBudget, RankAllocator
from tests.adapters.tiny_models import (
    Run,
    draw_gradients,
    linear_adapters,
    svd_adapters,
    tiny_batch,
    tiny_opt,
)

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


# Without chance: AdaLoRA


def test_without_chance_every_event_keeps_exactly_the_budget():
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
def test_the_order_of_modules_changes_no_kept_set_without_chance(order, seed):
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


def test_a_kept_value_is_left_as_the_optimizer_made_it():
    adapters, allocator = make()
    twin = linear_adapters(SHAPES, 4)
    _, idle = make(twin, CubicBudget(20, 4, 4, 3, deltaT=20))
    advance(adapters, allocator, 3)
    advance(twin, idle, 3)
    kept = allocator.kept()
    assert torch.equal(lams(adapters)[kept], lams(twin)[kept])
    for mine, theirs in zip(adapters.values(), twin.values(), strict=True):
        assert torch.equal(mine.P, theirs.P)
        assert torch.equal(mine.Q, theirs.Q)


def test_warm_up_has_no_event():
    budget = CubicBudget(20, 4, 2, 3, warmup_steps=7, deltaT=3)
    adapters, allocator = make(budget=budget)
    advance(adapters, allocator, 8)
    assert allocator.trace() == []
    assert allocator.kept().all()
    advance(adapters, allocator, 1)
    assert [row["t"] for row in allocator.trace()] == [9]


def test_scores_stay_as_they_are_from_the_last_event_on():
    adapters, allocator = make()
    advance(adapters, allocator, BUDGET.T - 1)
    before = allocator.scores()
    advance(adapters, allocator, 5)
    assert torch.equal(allocator.scores(), before)


# With chance


def test_a_step_that_was_skipped_is_counted_and_not_observed():
    adapters, allocator = make()
    advance(adapters, allocator, 2)
    before = allocator.scores()
    draw_gradients(adapters, 2)
    allocator.step(skipped=True)
    assert allocator.t == allocator.trace()[-1]["t"] == 3
    assert torch.equal(allocator.scores(), before)
    assert allocator.missing_gradients == 0


def test_masks_follow_from_seed_event_and_triplet_whatever_the_scores_are():
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


def test_another_seed_or_event_draws_another_mask():
    budget = CubicBudget(20, 4, 4, 3, deltaT=3)
    masks = []
    for seed in (0, 1):
        adapters, allocator = make(budget=budget, p=0.5, mask_seed=seed)
        for _ in range(2):
            advance(adapters, allocator, 3)
            masks.append(tuple(allocator.kept().tolist()))
    assert len(set(masks)) == 4


def test_reintroducing_has_the_rate_of_dropping_unless_it_has_its_own():
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


def test_mask_mode_gives_held_back_values_back_bit_for_bit():
    adapters, allocator = masked_run()
    advance(adapters, allocator, 3)
    value = lams(adapters)
    returned = 0
    for t in range(4, 15):
        held = ~allocator.kept()
        before = lams(adapters)
        advance(adapters, allocator)
        assert torch.equal(lams(adapters)[held], before[held])
        if BUDGET.is_event(t):
            back = held & allocator.kept()
            returned += int(back.sum())
            assert torch.equal(lams(adapters)[back], before[back])
    assert returned > 0
    assert value.all()


def test_mask_mode_holds_back_in_the_forward_pass_alone():
    adapters, allocator = masked_run()
    advance(adapters, allocator, 3)
    kept = allocator.kept()
    assert lams(adapters).all()
    effective = torch.cat([module.effective_lam() for module in adapters.values()])
    assert torch.equal(effective != 0, kept)
    assert allocator.rank() == kept.sum()
    assert allocator.trace()[0]["kept"] == kept.sum()


def test_mask_mode_keeps_held_back_values_from_momentum_and_decay():
    budget = CubicBudget(30, 4, 1, 12, final_fraction=0.3, deltaT=5)
    run = Run(budget, prune_mode="mask").steps(budget.T)
    held = ~run.allocator.kept()
    before = lams(run.adapters)
    run.steps(9)
    assert torch.equal(lams(run.adapters)[held], before[held])
    assert not torch.equal(lams(run.adapters)[~held], before[~held])


def test_both_prune_modes_agree_until_something_was_pruned_and_returns():
    runs = []
    for mode in ("zero", "mask"):
        adapters, allocator = make(p=0.4, prune_mode=mode)
        advance(adapters, allocator, 3)
        runs.append((allocator.kept(), allocator.scores()))
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


# What it needs


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_no_step_waits_for_the_device(prune_mode):
    # Tensors on `meta` have no values: whatever would read one on the host raises.
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
def test_a_gpu_takes_the_steps_of_the_cpu_and_never_synchronises(prune_mode):
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


def test_beside_the_two_averages_there_is_next_to_nothing():
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
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_rule(settings, rule):
    with pytest.raises(ValueError, match=rule):
        make(linear_adapters(SHAPES, 4), **settings)


# The model as the final budget would leave it


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_at_the_final_budget_the_best_triplets_alone_are_live(prune_mode):
    adapters, allocator = make(p=0.3, prune_mode=prune_mode)
    advance(adapters, allocator, 7)
    best = torch.sort(allocator.scores(), descending=True, stable=True).indices[: 3 * 2]
    with allocator.at_final_budget():
        shown = torch.cat([module.effective_lam() for module in adapters.values()])
        assert set(shown.nonzero().flatten().tolist()) <= set(best.tolist())
        assert torch.equal(shown[best], lams(adapters)[best])


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_a_look_at_the_final_budget_changes_nothing_even_if_it_fails(prune_mode):
    runs = []
    for looks in (False, True):
        adapters, allocator = make(p=0.3, prune_mode=prune_mode)
        for _ in range(18):
            advance(adapters, allocator)
            if looks:
                with pytest.raises(KeyError), allocator.at_final_budget():
                    raise KeyError
        effective = torch.cat([module.effective_lam() for module in adapters.values()])
        runs.append((lams(adapters), effective, allocator.kept(), allocator.trace()))
    for plain, looked in zip(*runs, strict=True):
        assert torch.equal(plain, looked) if isinstance(plain, torch.Tensor) else plain == looked


def test_from_the_last_event_on_the_final_budget_is_what_there_is():
    adapters, allocator = make(p=0.3)
    advance(adapters, allocator, 14)
    before = [module.effective_lam().clone() for module in adapters.values()]
    with allocator.at_final_budget():
        for module, values in zip(adapters.values(), before, strict=True):
            assert torch.equal(module.effective_lam(), values)
