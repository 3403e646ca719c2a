import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import CubicBudget, ParameterBudget


@st.composite
def budgets(draw):
    total = draw(st.integers(1, 150))
    b0 = draw(st.integers(1, 20))
    final_fraction = draw(st.floats(0, 0.95).filter(lambda f: round((1 - f) * total) >= 1))
    T = round((1 - final_fraction) * total)
    return CubicBudget(
        total_steps=total,
        b0=b0,
        bT=draw(st.integers(1, b0)),
        matrices=draw(st.integers(1, 80)),
        final_fraction=final_fraction,
        warmup_steps=draw(st.integers(0, T - 1)),
        deltaT=draw(st.integers(1, 200)),
    )


@pytest.mark.parametrize(
    ("t", "expected"),
    [(0, 576), (5000, 506), (10000, 463), (15000, 441), (20000, 433), (25160, 432), (29600, 432)],
)
def test_the_schedule_of_all_promoters_in_the_paper(t, expected):
    paper = CubicBudget(29600, 8, 6, 72, final_fraction=0.15, deltaT=5000)
    assert paper.budget(t) == expected


def test_all_promoters_have_six_events_and_the_last_ends_the_schedule():
    paper = CubicBudget(29600, 8, 6, 72, final_fraction=0.15, deltaT=5000)
    assert [t for t, _ in paper.events()] == [5000, 10000, 15000, 20000, 25000, 25160]


def test_an_interval_longer_than_the_schedule_leaves_the_last_event_only():
    tata = CubicBudget(3065, 8, 6, 72, final_fraction=0.15, deltaT=5000)
    assert tata.events() == [(2605, 432)]


def test_the_budget_is_floored():
    # 2 + 10 (1 - 1/3)³ = 4.96…
    assert CubicBudget(3, 12, 2, 1).budget(1) == 4


def test_integer_budgets_are_not_lost_to_rounding():
    # 7³ · (1 - t/7)³ is an integer for every t; in floating point some products are smaller.
    budget = CubicBudget(7, 344, 1, 1)
    assert [budget.budget(t) for t in range(8)] == [1 + (7 - t) ** 3 for t in range(8)]


def test_equal_start_and_end_keep_every_triplet():
    budget = CubicBudget(10, 4, 4, 3, deltaT=2)
    assert {b for _, b in budget.events()} == {12}


def test_the_phases_end_with_warm_up_and_with_the_schedule():
    budget = CubicBudget(10, 4, 2, 3, final_fraction=0.3, warmup_steps=2)
    assert [budget.phase(t) for t in (0, 2, 3, 7, 8, 10)] == [
        "warmup",
        "warmup",
        "pruning",
        "pruning",
        "final",
        "final",
    ]


@given(budgets())
def test_the_budget_never_rises(budget):
    values = [budget.budget(t) for t in range(budget.total_steps + 1)]
    assert values == sorted(values, reverse=True)


@given(budgets())
def test_the_budget_runs_from_all_triplets_to_the_end_average(budget):
    assert budget.budget(0) == budget.budget(budget.warmup_steps) == budget.triplets
    assert budget.budget(budget.T) == budget.matrices * budget.bT
    assert budget.budget(budget.total_steps) == budget.matrices * budget.bT


@given(budgets())
def test_events_are_at_multiples_of_the_interval_and_at_the_end_of_the_schedule(budget):
    steps = [t for t, _ in budget.events()]
    assert steps == [t for t in range(budget.total_steps + 1) if budget.is_event(t)]
    assert steps[-1] == budget.T
    assert all(t % budget.deltaT == 0 and t > budget.warmup_steps for t in steps[:-1])
    assert budget.events() == [(t, budget.budget(t)) for t in steps]


@given(budgets())
def test_event_number_counts_the_events_before_a_step(budget):
    steps = [t for t, _ in budget.events()]
    for t in range(budget.total_steps + 2):
        assert budget.event_number(t) == sum(step < t for step in steps)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"total_steps": 0}, "total_steps >= 1"),
        ({"bT": 0}, "1 <= bT <= b0"),
        ({"bT": 9}, "1 <= bT <= b0"),
        ({"matrices": 0}, "matrices >= 1"),
        ({"final_fraction": 1.0}, "final_fraction < 1"),
        ({"final_fraction": -0.1}, "0 <= final_fraction"),
        ({"total_steps": 1, "final_fraction": 0.9}, ">= 1"),
        ({"warmup_steps": 85}, "warmup_steps < T"),
        ({"deltaT": 0}, "deltaT >= 1"),
        ({"deltaT": 2.0}, "deltaT must be an integer, but got deltaT=2.0"),
        ({"bT": 2.5}, "bT must be an integer, but got bT=2.5"),
        ({"b0": "8"}, "b0 must be an integer"),
        ({"matrices": True}, "matrices must be an integer"),
        ({"final_fraction": float("nan")}, "final_fraction < 1"),
        ({"final_fraction": None}, "final_fraction must be a number"),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_a_field_out_of_range_is_refused_with_its_rule(change, rule):
    fields = {"total_steps": 100, "b0": 8, "bT": 6, "matrices": 4, "final_fraction": 0.15}
    with pytest.raises(ValueError, match=rule):
        CubicBudget(**(fields | change))


def test_ranks_of_every_matrix_sum_to_the_start():
    budget = CubicBudget(100, (1, 5, 3), 2, 3, deltaT=10)
    assert (budget.start, budget.triplets, budget.end) == (9, 9, 6)
    assert budget.ranks == (1, 5, 3)
    equal, one = CubicBudget(100, (4, 4), 2, 2, deltaT=7), CubicBudget(100, 4, 2, 2, deltaT=7)
    assert equal.events() == one.events()


def test_equal_costs_give_the_budget_in_triplets():
    triplets = CubicBudget(100, 4, 2, 3, deltaT=7)
    parameters = ParameterBudget(100, 6 * 11, (4, 4, 4), (11, 11, 11), deltaT=7)
    assert parameters.start == 12 * 11
    for (t, own), (step, other) in zip(parameters.events(), triplets.events(), strict=True):
        assert t == step
        assert own // 11 in (other, other + 1)  # The floor is of parameters.


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: CubicBudget(9, (1, 2), 2, 2), r"1 <= bT <= mean of b0 must hold, but got bT=2"),
        (lambda: CubicBudget(9, (4, 4), 2, 3), r"b0 of every matrix must hold"),
        (lambda: CubicBudget(9, (4, 0), 1, 2), r"b0 >= 1 must hold, but got b0=0"),
        (lambda: CubicBudget(9, (), 1, 1), r"b0 of at least one matrix must hold"),
        (lambda: ParameterBudget(9, 11, (1, 2), (9, 12)), "widest triplet <= bT"),
        (lambda: ParameterBudget(9, 40, (1, 2), (9, 12)), r"got bT=40, widest=12, start=33"),
        (lambda: ParameterBudget(9, 20, (1, 2), (9,)), "ranks and costs of every matrix"),
        (lambda: ParameterBudget(9, 20, (1, 2), (9, 0)), "costs >= 1 must hold"),
        (lambda: ParameterBudget(0, 20, (1, 2), (9, 12)), "total_steps >= 1"),
    ],
)
def test_budgets_that_do_not_fit_the_matrices_are_refused(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()
