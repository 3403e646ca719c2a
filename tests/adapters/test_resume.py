"""A run that was saved and continued is bit-equal to one that never stopped."""

import pytest
import torch

from adapters import CubicBudget
from tests.adapters.tiny_models import Run

BUDGET = CubicBudget(20, 4, 2, 12, final_fraction=0.3, deltaT=4)  # events 4, 8, 12, 14


@pytest.fixture(scope="module", params=["zero", "mask"])
def uninterrupted(request):
    return request.param, Run(BUDGET, prune_mode=request.param).steps(20)


@pytest.mark.parametrize("stop", [0, 2, 4, 6, 13, 14, 15, 19])
def test_a_resumed_run_is_bit_equal(uninterrupted, stop, tmp_path):
    mode, expected = uninterrupted
    file = tmp_path / "checkpoint.pt"
    torch.save(Run(BUDGET, prune_mode=mode).steps(stop).state(), file)
    resumed = Run(BUDGET, prune_mode=mode)
    resumed.load(torch.load(file, weights_only=True))
    resumed.steps(20 - stop)
    for name, module in expected.adapters.items():
        other = resumed.adapters[name]
        for key in ("P", "lam", "Q"):
            assert torch.equal(getattr(module, key), getattr(other, key)), (name, key)
        assert torch.equal(module.effective_lam(), other.effective_lam())
    assert torch.equal(expected.model.score.weight, resumed.model.score.weight)
    assert expected.allocator.trace() == resumed.allocator.trace()
    assert torch.equal(expected.allocator.scores(), resumed.allocator.scores())


def test_a_loaded_mask_is_in_force_at_once():
    source = Run(BUDGET, prune_mode="mask").steps(5)
    target = Run(BUDGET, prune_mode="mask")
    for module in target.adapters.values():
        module.mask = None  # as weights of an unpruned model would leave it
    target.load(source.state())
    for name, module in source.adapters.items():
        assert torch.equal(module.effective_lam(), target.adapters[name].effective_lam())


def test_the_count_of_missing_gradients_is_part_of_the_state():
    run, other = Run(BUDGET), Run(BUDGET)
    run.allocator.step()
    assert run.allocator.missing_gradients == 36
    other.allocator.load_state_dict(run.allocator.state_dict())
    assert other.allocator.missing_gradients == 36


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (CubicBudget(20, 3, 2, 12, final_fraction=0.3, deltaT=4), "same adapters and budget"),
        (CubicBudget(40, 4, 2, 12, final_fraction=0.3, deltaT=4), "same adapters and budget"),
    ],
)
def test_a_state_of_another_run_is_refused(budget, message):
    state = Run(BUDGET).allocator.state_dict()
    with pytest.raises(ValueError, match=message):
        Run(budget).allocator.load_state_dict(state)


def test_a_state_with_other_keys_is_refused():
    allocator = Run(BUDGET).allocator
    state = allocator.state_dict()
    del state["stored"]
    with pytest.raises(ValueError, match="must have the keys"):
        allocator.load_state_dict(state)
