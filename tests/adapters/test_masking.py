from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking import event_uniforms, flip, keep_top
from tests.adapters.reference import uniform

SIGMAS = 5  # a correct rate would fail once in two million runs; the seeds are fixed


def assert_rate(hits: int, draws: int, p: float):
    """Asserts that the hits are within the binomial interval."""
    assert abs(hits - draws * p) <= SIGMAS * sqrt(draws * p * (1 - p)) + 1e-9


@given(st.integers(-(2**70), 2**70), st.integers(0, 10**6))
def test_the_draw_is_splitmix64_of_seed_event_and_triplet(seed, event):
    drawn = event_uniforms(seed, event, 5)
    assert drawn.tolist() == [uniform(seed, event, i) for i in range(5)]


def test_the_draw_of_a_triplet_does_not_depend_on_how_many_there_are():
    assert torch.equal(event_uniforms(3, 4, 100)[:7], event_uniforms(3, 4, 7))


def test_the_draw_does_not_change_torchs_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    event_uniforms(1, 2, 3)
    assert torch.equal(before, torch.get_rng_state())


def test_seeds_and_events_have_different_draws():
    draws = [event_uniforms(seed, event, 64) for seed in range(8) for event in range(8)]
    values = torch.cat(draws)
    assert len(set(values.tolist())) == len(values)


def test_draws_are_uniform_and_uncorrelated():
    draws = torch.stack([event_uniforms(0, event, 500) for event in range(200)])
    counts = torch.histc(draws, bins=20, min=0, max=1)
    for count in counts.tolist():
        assert_rate(count, draws.numel(), 1 / 20)
    centred = (draws - 0.5) * sqrt(12)
    limit = SIGMAS / sqrt(draws.numel())
    assert abs((centred[:, 1:] * centred[:, :-1]).mean()) < limit * 1.01
    assert abs((centred[1:] * centred[:-1]).mean()) < limit * 1.01


@pytest.mark.parametrize(("p", "p_reintroduce"), [(0.1, 0.1), (0.05, 0.3), (0.5, 0.0), (0, 0.2)])
def test_kept_rates_of_top_and_other_triplets_are_one_minus_p_and_p_reintroduce(p, p_reintroduce):
    n, budget, events = 300, 180, 400
    top = torch.arange(n) < budget
    kept = torch.stack(
        [flip(top, event_uniforms(7, event, n), p, p_reintroduce) for event in range(events)]
    )
    assert_rate(int(kept[:, top].sum()), budget * events, 1 - p)
    assert_rate(int(kept[:, ~top].sum()), (n - budget) * events, p_reintroduce)


def test_the_expected_number_kept_is_that_of_equation_1():
    # OPT-125M's 72 matrices, 8 -> 6, p = 0.1: 5.6 triplets per matrix on average, not 6.
    n, budget, p, events = 576, 432, 0.1, 500
    top = torch.arange(n) < budget
    kept = [int(flip(top, event_uniforms(1, e, n), p, p).sum()) for e in range(events)]
    expected = (1 - p) * budget + p * (n - budget)
    assert expected / 72 == pytest.approx(5.6)
    spread = sqrt(n * p * (1 - p) / events)
    assert abs(sum(kept) / events - expected) < SIGMAS * spread


def test_with_p_0_the_mask_is_that_of_the_top_triplets():
    top = torch.tensor([True, False, True, False])
    assert torch.equal(flip(top, event_uniforms(0, 0, 4), 0, 0), top)


def test_with_p_1_every_decision_is_inverted():
    top = torch.tensor([True, False, True, False])
    assert torch.equal(flip(top, event_uniforms(0, 0, 4), 1, 1), ~top)


def test_p_reintroduce_does_not_change_decisions_on_top_triplets():
    top = torch.arange(200) < 100
    uniforms = event_uniforms(0, 0, 200)
    a, b = flip(top, uniforms, 0.2, 0.1), flip(top, uniforms, 0.2, 0.4)
    assert torch.equal(a[top], b[top])
    assert not torch.equal(a[~top], b[~top])


def test_of_equal_scores_the_lower_index_wins():
    scores = torch.tensor([1.0, 2.0, 1.0, 1.0, 0.5])
    assert keep_top(scores, 3).tolist() == [True, True, True, False, False]
    assert keep_top(torch.zeros(600), 599).tolist() == [True] * 599 + [False]


def test_every_lane_has_its_own_top():
    scores = torch.tensor([[[1.0, 3.0, 2.0]], [[3.0, 1.0, 2.0]]])
    top = keep_top(scores, 1)
    assert top.tolist() == [[[False, True, False]], [[True, False, False]]]


@given(st.lists(st.sampled_from([0.0, 0.1, 1.0, 2.5]), min_size=1, max_size=30), st.data())
def test_the_top_has_exactly_the_budgets_size_and_no_smaller_score(scores, data):
    budget = data.draw(st.integers(0, len(scores)))
    values = torch.tensor(scores)
    top = keep_top(values, budget)
    assert top.sum() == budget
    if 0 < budget < len(scores):
        assert values[top].min() >= values[~top].max()
