"""The context `RankAllocator.at_final_budget`, in both prune modes."""

import pytest
import torch

from adapters.masking import keep_top
from tests.adapters.allocator.tiny_allocators import advance, lams, make


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_at_the_final_budget_only_the_best_triplets_are_used(prune_mode):
    adapters, allocator = make(p=0.3, prune_mode=prune_mode)
    advance(adapters, allocator, 7)
    best = torch.sort(allocator.scores(), descending=True, stable=True).indices[: 3 * 2]
    with allocator.at_final_budget():
        values = torch.cat([module.effective_lam() for module in adapters.values()])
        assert set(values.nonzero().flatten().tolist()) <= set(best.tolist())
        assert torch.equal(values[best], lams(adapters)[best])


def test_at_the_final_budget_a_masked_triplet_has_its_stored_value_as_at_an_event():
    adapters, allocator = make(p=0.6, prune_mode="mask")
    advance(adapters, allocator, 3)
    best = keep_top(allocator.scores(), 3 * 2)
    masked = best & ~allocator.kept()
    assert masked.any(), "the case needs a triplet with a large score that is masked now"
    stored = lams(adapters)
    with allocator.at_final_budget():
        values = torch.cat([module.effective_lam() for module in adapters.values()])
    assert torch.equal(values, stored * best)
    assert values[masked].all()


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_at_final_budget_restores_the_model_even_after_an_exception(prune_mode):
    runs = []
    for use_context in (False, True):
        adapters, allocator = make(p=0.3, prune_mode=prune_mode)
        for _ in range(18):
            advance(adapters, allocator)
            if use_context:
                with pytest.raises(KeyError), allocator.at_final_budget():
                    raise KeyError
        effective = torch.cat([module.effective_lam() for module in adapters.values()])
        runs.append((lams(adapters), effective, allocator.kept(), allocator.trace()))
    for plain, used in zip(*runs, strict=True):
        assert torch.equal(plain, used) if isinstance(plain, torch.Tensor) else plain == used


def test_at_final_budget_changes_nothing_from_the_last_event_on():
    adapters, allocator = make(p=0.3)
    advance(adapters, allocator, 14)
    before = [module.effective_lam().clone() for module in adapters.values()]
    with allocator.at_final_budget():
        for module, values in zip(adapters.values(), before, strict=True):
            assert torch.equal(module.effective_lam(), values)
