"""Faults of other AdaLoRA implementations that must not occur here."""

import pytest
import torch
from torch import nn

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
    for weight in run.optimizer.param_groups[0]["params"]:
        weight.grad = torch.zeros_like(weight)
    for _ in range(2):
        run.allocator.step()
    assert run.allocator.kept().sum() == run.allocator.budget.budget(2)


def test_an_unused_layer_does_not_raise():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2)).steps(1)
    unused = next(iter(run.adapters.values()))
    loss = run.model(**tiny_batch(0)).loss
    loss.backward()
    unused.P.grad = unused.Q.grad = unused.lam.grad = None
    run.allocator.step()
    assert run.allocator.missing_gradients == 3


def test_a_step_after_zero_grad_counts_missing_gradients():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2)).steps(2)
    run.optimizer.zero_grad()
    run.allocator.step()
    assert run.allocator.missing_gradients == 36


class ReadsTheWeight(nn.Module):
    """Calls one layer, and only reads the weight of the other."""

    def __init__(self):
        super().__init__()
        self.called = nn.Linear(4, 4)
        self.read = nn.Linear(4, 4)

    def forward(self, x):
        return nn.functional.linear(self.called(x), self.read.weight)


def test_an_adapter_that_the_model_does_not_use_is_an_error_in_the_first_step():
    model = ReadsTheWeight()
    adapters = inject(model, ["called", "read"], 4, alpha=4, generator=torch.Generator())
    budget = CubicBudget(10, 4, 2, 2, deltaT=2)
    allocator = RankAllocator(adapters, budget, beta1=0.8, beta2=0.8, p=0, mask_seed=0)
    # The penalty gives P and Q of the unused layer a gradient as well.
    (model(torch.ones(1, 4)).sum() + orthogonality(adapters)).backward()
    with pytest.raises(ValueError, match=r"in the first step, but got none for 1 of 2, .* 'read'"):
        allocator.step()
    assert allocator.t == 0
    assert not allocator.scores().any()


def test_a_first_step_after_zero_grad_is_an_error():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2))
    with pytest.raises(ValueError, match=r"none for 12 of 12.* before zero_grad\(\)"):
        run.allocator.step()


def test_an_event_without_a_gradient_since_the_last_one_is_an_error():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2)).steps(3)
    run.allocator.step()  # Step 4, an event: step 3 had gradients.
    kept, lams = run.allocator.kept(), [m.lam.clone() for m in run.adapters.values()]
    run.allocator.step()
    with pytest.raises(ValueError, match=r"must follow a step with gradients, .* at step 6"):
        run.allocator.step()
    assert run.allocator.t == 5
    assert torch.equal(run.allocator.kept(), kept)
    assert all(map(torch.equal, lams, (m.lam for m in run.adapters.values())))


def test_steps_that_the_loss_scaler_skipped_are_an_error_only_before_any_score():
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2)).steps(3)
    for _ in range(3):  # The event at step 6 has the scores of step 3.
        run.allocator.step(skipped=True)
    assert [event["t"] for event in run.allocator.trace()] == [2, 4, 6]
    run = Run(CubicBudget(10, 4, 2, 12, deltaT=2))
    run.allocator.step(skipped=True)
    with pytest.raises(ValueError, match=r"raise warmup_steps if the loss scaler skipped all"):
        run.allocator.step(skipped=True)


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
