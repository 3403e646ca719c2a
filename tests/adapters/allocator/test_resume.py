"""A run that is saved and resumed is bit-equal to an uninterrupted one."""

import io

import pytest
import torch

from adapters import CubicBudget, RankAllocator
from tests.adapters.tiny_models import Run

STEPS = 12
BUDGET = CubicBudget(STEPS, 4, 2, 6, final_fraction=0.3, deltaT=3)  # events 3, 6, 8
STOPS = [0, 2, 3, 5, 7, 8, 9, 11]


def run_of(budget=BUDGET, **rates):
    return Run(budget, layers=1, **rates)


def saved(run):
    buffer = io.BytesIO()
    torch.save(run.state(), buffer)
    return buffer.getvalue()


def load(run, checkpoint):
    run.load(torch.load(io.BytesIO(checkpoint), weights_only=True))


@pytest.fixture(scope="module", params=["zero", "mask"])
def uninterrupted(request):
    """The prune mode, an uninterrupted run, and its checkpoints at the stops."""
    run, checkpoints = run_of(prune_mode=request.param), {}
    for stop in STOPS:
        run.steps(stop - run.allocator.t)
        checkpoints[stop] = saved(run)
    return request.param, run.steps(1), checkpoints


@pytest.mark.parametrize("stop", STOPS)
def test_a_resumed_run_is_bit_equal(uninterrupted, stop):
    mode, expected, checkpoints = uninterrupted
    resumed = run_of(prune_mode=mode)
    load(resumed, checkpoints[stop])
    resumed.steps(STEPS - stop)
    assert resumed.allocator.t == expected.allocator.t == STEPS
    for name, module in expected.adapters.items():
        other = resumed.adapters[name]
        for key in ("P", "lam", "Q"):
            assert torch.equal(getattr(module, key), getattr(other, key)), (name, key)
        assert torch.equal(module.effective_lam(), other.effective_lam())
    assert torch.equal(expected.model.score.weight, resumed.model.score.weight)
    assert expected.allocator.trace() == resumed.allocator.trace()
    assert torch.equal(expected.allocator.scores(), resumed.allocator.scores())


def test_a_loaded_mask_applies_immediately():
    source = run_of(prune_mode="mask").steps(5)
    target = run_of(prune_mode="mask")
    for module in target.adapters.values():
        module.mask = None  # as after loading the weights of an unpruned model
    target.load(source.state())
    for name, module in source.adapters.items():
        assert torch.equal(module.effective_lam(), target.adapters[name].effective_lam())


def test_the_count_of_missing_gradients_is_part_of_the_state():
    run, other = run_of().steps(1), run_of()
    run.allocator.step()
    assert run.allocator.missing_gradients == 18
    other.allocator.load_state_dict(run.allocator.state_dict())
    assert other.allocator.missing_gradients == 18


@pytest.mark.parametrize(
    "budget",
    [
        CubicBudget(STEPS, 3, 2, 6, final_fraction=0.3, deltaT=3),
        CubicBudget(24, 4, 2, 6, final_fraction=0.3, deltaT=3),
    ],
    ids=["rank", "events"],
)
def test_a_state_of_another_run_is_refused(budget):
    state = run_of().allocator.state_dict()
    with pytest.raises(ValueError, match="must be that of the saved run"):
        run_of(budget).allocator.load_state_dict(state)
    del state["settings"]  # as in a state of an older version
    with pytest.raises(ValueError, match="same adapters and budget"):
        run_of(budget, score_loss="total").allocator.load_state_dict(state)


OTHER = {
    "beta1": 0.1,
    "beta2": 0.1,
    "p": 0.9,
    "p_reintroduce": 0.3,
    "mask_seed": 2**64,
    "prune_mode": "mask",
    "final_mask": "deterministic",
    "score_loss": "total",
}


@pytest.mark.parametrize(("name", "value"), OTHER.items())
def test_a_state_of_other_settings_is_refused_and_changes_nothing(name, value, tmp_path):
    torch.save(run_of(**{name: value}).steps(4).allocator.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    target = run_of().allocator
    with pytest.raises(ValueError, match=f"{name} must be that of the saved run, {name}="):
        target.load_state_dict(state)
    assert target.t == 0
    assert target.kept().all()


def test_the_scores_of_a_state_of_an_older_version_are_of_the_total_loss():
    state = run_of(score_loss="total").steps(4).allocator.state_dict()
    del state["settings"]
    target = run_of(score_loss="total").allocator
    target.load_state_dict(state)
    assert target.t == 4
    with pytest.raises(ValueError, match="score_loss must be that of the saved run"):
        run_of().allocator.load_state_dict(state)


def test_a_state_of_layers_in_another_order_is_refused():
    run, other = run_of(), run_of()
    adapters = dict(reversed(other.adapters.items()))
    settings = {"beta1": 0.85, "beta2": 0.85, "p": 0.2, "mask_seed": 5}
    swapped = RankAllocator(adapters, run.allocator.budget, **settings)
    with pytest.raises(ValueError, match="adapters must be that of the saved run"):
        swapped.load_state_dict(run.allocator.state_dict())


def test_a_state_of_layers_with_another_scale_is_refused():
    run, other = run_of(), run_of()
    next(iter(other.adapters.values())).scale *= 2
    with pytest.raises(ValueError, match="scales must be that of the saved run"):
        other.allocator.load_state_dict(run.allocator.state_dict())


@pytest.mark.parametrize("t", [-1, 10**6, 2.0, "2", None])
def test_a_state_without_a_number_of_steps_is_refused_and_changes_nothing(t):
    state = run_of().steps(4).allocator.state_dict() | {"t": t}
    target = run_of().allocator
    with pytest.raises(ValueError, match=r"t in an allocator's state must be an integer from 0"):
        target.load_state_dict(state)
    assert target.t == 0
    assert not target.scores().any()


def test_a_state_with_other_keys_is_refused():
    allocator = run_of().allocator
    state = allocator.state_dict()
    del state["stored"]
    with pytest.raises(ValueError, match="must have the keys"):
        allocator.load_state_dict(state)
