"""The final budget before T, for a run that ends early."""

import copy

import pytest
import torch

from adapters import CubicBudget, ParameterBudget
from tests.adapters.allocator.tiny_allocators import BUDGET, SHAPES, advance, lams, make
from tests.adapters.tiny_models import Run, linear_adapters


@pytest.mark.parametrize("mode", ["zero", "mask"])
def test_the_largest_scores_are_kept_whatever_the_bernoulli_rate_is(mode):
    adapters, allocator = make(p=0.5, prune_mode=mode)
    advance(adapters, allocator, 4)
    scores = allocator.scores()
    allocator.prune_now()
    expected = torch.zeros(12, dtype=torch.bool)
    expected[scores.argsort(descending=True)[:6]] = True
    assert torch.equal(allocator.kept(), expected)
    assert allocator.rank() == 6
    assert allocator.is_final
    assert allocator.trace()[-1] == {
        "t": 4, "budget": 6, "kept": 6, "reintroduced": 0, "dropped": 0,
        "ranks": allocator.ranks(), "penalty_share": None,
    }  # fmt: skip
    assert [event["t"] for event in allocator.trace()] == [3, 4]
    assert torch.equal(allocator.mask_events().scores[-1], scores)
    assert allocator.mask_events().steps == [3, 4]


def test_the_model_is_that_of_the_context_with_the_final_budget():
    run = Run(CubicBudget(20, 4, 2, 12, deltaT=6)).steps(8)
    batch = {"input_ids": torch.arange(4, 16)[None]}
    with run.allocator.at_final_budget():
        expected = run.model.eval()(**batch).logits
    run.allocator.prune_now()
    assert torch.equal(run.model(**batch).logits, expected)
    with run.allocator.at_final_budget():
        assert torch.equal(run.model(**batch).logits, expected)


@pytest.mark.parametrize("mode", ["zero", "mask"])
def test_further_steps_hold_the_mask_and_have_no_event(mode):
    run = Run(CubicBudget(20, 4, 2, 12, deltaT=3), prune_mode=mode).steps(5)
    run.allocator.prune_now()
    kept, scores, events = run.allocator.kept(), run.allocator.scores(), run.allocator.trace()
    run.steps(6)
    assert run.allocator.t == 11
    assert torch.equal(run.allocator.kept(), kept)
    assert torch.equal(run.allocator.scores(), scores)
    assert run.allocator.trace() == events
    effective = torch.cat([m.effective_lam() for m in run.adapters.values()])
    assert torch.equal(effective != 0, kept)


@pytest.mark.parametrize("mode", ["zero", "mask"])
def test_a_resumed_run_stays_pruned_bit_for_bit(mode):
    budget = CubicBudget(20, 4, 2, 12, deltaT=3)
    run = Run(budget, prune_mode=mode).steps(5)
    run.allocator.prune_now()
    resumed = Run(budget, prune_mode=mode)
    resumed.load(copy.deepcopy(run.state()))
    run.steps(3)
    resumed.steps(3)
    assert resumed.allocator.trace() == run.allocator.trace()
    for own, other in zip(resumed.model.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(own, other)


def test_from_the_last_event_on_it_changes_nothing():
    adapters, allocator = make(p=0.5)
    advance(adapters, allocator, BUDGET.T)
    before, kept = lams(adapters), allocator.kept()
    assert kept.sum() != 6  # By the Bernoulli mask.
    allocator.prune_now()
    assert torch.equal(lams(adapters), before)
    assert torch.equal(allocator.kept(), kept)
    assert allocator.pruned_at == 0


def test_without_a_score_it_is_an_error():
    _, allocator = make()
    with pytest.raises(ValueError, match="prune_now must follow a step with gradients"):
        allocator.prune_now()
    assert allocator.kept().all()


def test_a_budget_in_parameters_is_kept():
    adapters = linear_adapters(SHAPES, 4)
    budget = ParameterBudget.of(adapters, 20, bT=50, deltaT=3)
    _, allocator = make(adapters, budget)
    advance(adapters, allocator, 4)
    allocator.prune_now()
    ranks = list(allocator.ranks().values())
    assert 50 - 11 < sum(r * c for r, c in zip(ranks, budget.costs, strict=True)) <= 50
