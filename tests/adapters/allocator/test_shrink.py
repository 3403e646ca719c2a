"""Removal of the pruned triplets, after the last mask event."""

import copy

import pytest
import torch

from adapters import CubicBudget, adapter_state, orthogonality, save_adapters
from tests.adapters.allocator.tiny_allocators import BUDGET, advance, make
from tests.adapters.tiny_models import Run, tiny_batch

SHORT = CubicBudget(12, 4, 1, 12, final_fraction=0.5, deltaT=3)


def logits(run):
    with torch.no_grad():
        return run.model.eval()(**tiny_batch(0)).logits


@pytest.mark.parametrize("mode", ["zero", "mask"])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_the_model_computes_the_same_with_fewer_parameters(mode, p):
    run = Run(SHORT, prune_mode=mode, p=p).steps(8)
    before, ranks, kept = logits(run), run.allocator.ranks(), run.allocator.kept()
    run.allocator.shrink(run.optimizer)
    torch.testing.assert_close(logits(run), before, rtol=0, atol=1e-6)
    assert {n: m.rank for n, m in run.adapters.items()} == ranks == run.allocator.ranks()
    assert torch.equal(run.allocator.kept(), kept)
    for module in run.adapters.values():
        sizes = (module.P.shape[1], *module.lam.shape, module.Q.shape[0])
        assert sizes == (module.rank,) * 3
        assert module.mask is None


def test_the_kept_entries_and_their_averages_are_those_of_before():
    run = Run(SHORT, p=0.0).steps(8)
    whole = copy.deepcopy(run.state())
    keep = run.allocator.kept().view(12, 4)
    run.allocator.shrink(run.optimizer)
    for (name, module), own in zip(run.adapters.items(), keep, strict=True):
        for key, dim in (("P", 1), ("lam", 0), ("Q", 0)):
            rows = own.nonzero()[:, 0]
            expected = whole["parameters"][f"{name}.{key}"].index_select(dim, rows)
            assert torch.equal(getattr(module, key), expected)
    number = {id(p): i for i, p in enumerate(run.optimizer.param_groups[0]["params"])}
    for module, own in zip(run.adapters.values(), keep, strict=True):
        average = whole["optimizer"]["state"][number[id(module.P)]]["exp_avg_sq"]
        assert torch.equal(run.optimizer.state[module.P]["exp_avg_sq"], average[:, own])
        assert run.optimizer.state[module.P]["step"] == 8


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_training_continues_as_without_the_removal(optimizer):
    settings = {"momentum": 0.9, "lr": 0.05} if optimizer is torch.optim.SGD else {"lr": 5e-3}
    runs = [Run(SHORT, p=0.0) for _ in range(2)]
    for run in runs:
        trained = run.optimizer.param_groups[0]["params"]
        run.optimizer = optimizer(trained, **settings)
    for step in range(12):
        for run in runs:  # Without the penalty, in which the removed vectors would have a part.
            run.model(**tiny_batch(step)).loss.backward()
            run.optimizer.step()
            run.allocator.step()
            run.optimizer.zero_grad()
        if step == 7:
            runs[0].allocator.shrink(runs[0].optimizer)
    torch.testing.assert_close(logits(runs[0]), logits(runs[1]), rtol=0, atol=1e-5)
    assert runs[0].allocator.trace() == runs[1].allocator.trace()


def test_layers_without_a_triplet_train_on_with_the_penalty():
    run = Run(SHORT, p=0.9, p_reintroduce=0.0).steps(6)
    run.allocator.shrink(run.optimizer)
    assert 0 in run.allocator.ranks().values()
    run.steps(3)
    assert orthogonality(run.adapters).isfinite()


@pytest.mark.parametrize("mode", ["zero", "mask"])
def test_a_shrunk_run_resumes_bit_for_bit(mode):
    run = Run(SHORT, prune_mode=mode).steps(8)
    run.allocator.shrink(run.optimizer)
    resumed = Run(SHORT, prune_mode=mode)
    state = copy.deepcopy(run.state())
    resumed.allocator.load_state_dict(state["allocator"])  # Before the weights.
    resumed.load(state)
    run.steps(4)
    resumed.steps(4)
    for own, other in zip(run.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(own, other)
    assert resumed.allocator.trace() == run.allocator.trace()
    assert torch.equal(resumed.allocator.scores(), run.allocator.scores())


def test_files_and_optimizer_are_smaller(tmp_path):
    run = Run(SHORT, p=0.0).steps(8)
    save_adapters(run.model, tmp_path / "whole")
    before = sum(tensor.numel() for tensor in adapter_state(run.model).values())
    run.allocator.shrink(run.optimizer)
    save_adapters(run.model, tmp_path / "shrunk")
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "shrunk")]
    entries = sum(tensor.numel() for tensor in adapter_state(run.model).values())
    assert entries < before // 3
    assert sizes[0] - sizes[1] == pytest.approx(4 * (before - entries), rel=0.02)
    averages = [run.optimizer.state[w] for m in run.adapters.values() for w in (m.P, m.lam, m.Q)]
    assert sum(state["exp_avg"].numel() for state in averages) == entries
    assert run.allocator.state_dict()["sensitivity"] == []


def test_after_prune_now_it_needs_no_later_step():
    run = Run(CubicBudget(20, 4, 2, 12, deltaT=3)).steps(4)
    run.allocator.prune_now()
    before = logits(run)
    run.allocator.shrink(run.optimizer)
    torch.testing.assert_close(logits(run), before, rtol=0, atol=1e-6)
    assert run.allocator.rank() == 24
    run.steps(2)


def test_before_the_last_event_it_is_refused():
    adapters, allocator = make()
    advance(adapters, allocator, BUDGET.T - 1)
    with pytest.raises(ValueError, match=r"shrink must come at T=14 or later, but got step 13"):
        allocator.shrink()
    assert {m.rank for m in adapters.values()} == {4}


def test_an_optimizer_whose_state_cannot_be_cut_is_refused_and_nothing_changes():
    run = Run(SHORT).steps(8)
    first = next(iter(run.adapters.values())).Q
    run.optimizer.state[first]["row"] = torch.zeros(4)
    with pytest.raises(ValueError, match=r"one number per entry .* got row of the shape \(4,\)"):
        run.allocator.shrink(run.optimizer)
    assert {m.P.shape[1] for m in run.adapters.values()} == {4}


def test_a_shrunk_allocator_takes_no_state_of_other_triplets():
    run, other = Run(SHORT).steps(8), Run(SHORT).steps(8)
    whole = other.allocator.state_dict()
    run.allocator.shrink()
    with pytest.raises(ValueError, match=r"has been shrunk .*load it before shrink\(\)"):
        run.allocator.load_state_dict(whole)
