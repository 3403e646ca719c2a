"""Faults of other AdaLoRA implementations that must not occur here."""

import pytest
import torch

from adapters import CubicBudget, RankAllocator, inject, orthogonality
from tests.adapters.tiny_models import Run, svd_adapters, tiny_batch, tiny_opt


def test_resuming_does_not_zero_the_adapter():
    budget = CubicBudget(20, 4, 2, 12, final_fraction=0.2, deltaT=5)
    source, resumed = Run(budget, p=0.0).steps(10), Run(budget, p=0.0)
    resumed.load(source.state())
    resumed.steps(10)
    assert resumed.allocator.rank() == 24


def test_without_final_steps_the_model_in_memory_is_pruned():
    budget = CubicBudget(20, 4, 2, 12, final_fraction=0.0, deltaT=6)
    run = Run(budget, p=0.0).steps(20)
    assert run.allocator.trace()[-1]["t"] == 20
    assert run.allocator.rank() == 24


def test_tiny_scores_of_a_float16_model_do_not_prune_everything():
    model = tiny_opt(dtype=torch.float16)
    adapters = svd_adapters(model, 4)
    budget = CubicBudget(4, 4, 2, 12, deltaT=2)
    allocator = RankAllocator(adapters, budget, beta1=0.85, beta2=0.85, p=0.0, mask_seed=0)
    for step in range(4):
        (1e-3 * model(**tiny_batch(step)).loss).backward()
        for module in adapters.values():
            module.lam.data.add_(module.lam.grad.sign(), alpha=1e-4)
        allocator.step()
        model.zero_grad()
    assert allocator.scores().max() < 6e-8  # below the smallest float16 number
    assert allocator.kept().sum() == 24


def test_scores_that_are_all_equal_do_not_prune_everything():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2), p=0.0)
    for _ in range(2):
        run.allocator.step()
    assert run.allocator.kept().sum() == run.allocator.budget.budget(2)


def test_an_unused_layer_does_not_raise():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2))
    unused = next(iter(run.adapters.values()))
    loss = run.model(**tiny_batch(0)).loss
    loss.backward()
    unused.P.grad = unused.Q.grad = unused.lam.grad = None
    run.allocator.step()
    assert run.allocator.missing_gradients == 3


def test_a_step_after_zero_grad_counts_missing_gradients():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2))
    run.optimizer.zero_grad()
    run.allocator.step()
    assert run.allocator.missing_gradients == 36


def test_the_loss_of_the_model_does_not_contain_the_penalty():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2))
    batch = tiny_batch(0)
    assert orthogonality(run.adapters) > 1
    for mode in (True, False):
        output = run.model.train(mode)(**batch)
        expected = torch.nn.functional.cross_entropy(output.logits, batch["labels"])
        torch.testing.assert_close(output.loss, expected)


def test_a_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"output_proj.*must match the whole name"):
        inject(
            tiny_opt(),
            [r".*\.q_proj", r".*\.output_proj"],
            4,
            alpha=16,
            generator=torch.Generator(),
        )


def test_a_constant_budget_prunes_nothing():
    run = Run(CubicBudget(10, 4, 4, 12, final_fraction=0.2, deltaT=2), p=0.0).steps(10)
    assert run.allocator.rank() == 48
    assert [row["budget"] for row in run.allocator.trace()] == [48] * 4


def test_an_allocator_that_was_never_called_shows_it():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2))
    run.model(**tiny_batch(0)).loss.backward()
    run.optimizer.step()
    assert run.allocator.t == 0
    assert run.allocator.trace() == []
