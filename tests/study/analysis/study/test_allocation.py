import re

import pytest

from adapters.budget import CubicBudget
from adapters.targets import FAMILIES, MATRICES, layer_names, target_patterns
from study.analysis.layers import layer_and_matrix
from study.analysis.study.allocation import (
    SHOWN_EVENTS,
    Allocation,
    allocation,
    expected_kept,
    rank_map,
    schedule,
)
from tests.study.analysis.study.made_studies import SPEC, MadeStudy, made_trace, opt_modules


def series(made: MadeStudy) -> Allocation:
    data = made.read()
    assert data.leader is not None
    found = allocation(data.spec, data.leader, data.trace)
    assert found is not None
    return found


@pytest.mark.parametrize("warmup_steps", [0, 30])
def test_the_schedule_equals_the_budget_of_training(warmup_steps: int) -> None:
    budget = CubicBudget(
        total_steps=500, b0=12, bT=4, matrices=24, final_fraction=0.25,
        warmup_steps=warmup_steps, deltaT=10,
    )  # fmt: skip
    points = schedule(12, 4, 24, warmup_steps, budget.T, 500)
    assert {t for t, _ in points} >= {1, budget.T, 500}
    for t, b in points:
        assert int(b + 1e-9) == budget.budget(t)


def test_the_expected_kept_is_that_of_eq_1() -> None:
    assert expected_kept(b=6, triplets=8, p=0.1, p_reintroduce=0.1) == pytest.approx(5.6)
    assert expected_kept(b=4, triplets=8, p=0.3, p_reintroduce=0.3) == pytest.approx(4)
    assert expected_kept(b=6, triplets=8, p=0.1, p_reintroduce=0.0) == pytest.approx(5.4)


def test_the_series_are_those_of_the_trace(finished: MadeStudy) -> None:
    data, trace = series(finished), made_trace()
    assert data.steps == [10, 20, 30, 40, 50, 60]
    assert data.kept == [event["kept"] for event in trace]
    assert data.dropped == [5] * 6
    assert data.expected[-1] == pytest.approx(0.9 * 60 + 0.1 * (120 - 60))


def test_a_deterministic_last_mask_keeps_the_budget(finished: MadeStudy) -> None:
    finished.folder.spec.write_text(
        SPEC.replace("deltaT: 10", "deltaT: 10\n  final_mask: deterministic")
    )
    data = series(finished)
    assert data.expected[-1] == data.budget[-1]
    assert data.expected[0] != data.budget[0]


def test_a_trial_without_mask_events_has_no_series(finished: MadeStudy) -> None:
    data = finished.read()
    assert data.leader is not None
    assert allocation(data.spec, data.leader, []) is None
    assert rank_map([]) is None


def test_every_matrix_of_every_family_gets_its_name() -> None:
    for family in FAMILIES:
        names = tuple(layer_names(family))
        for matrix, pattern in zip(names, target_patterns(family, names), strict=True):
            for number in (0, 11):
                plain = pattern.replace(r"\d+", str(number)).replace(r"\.", ".")
                module = re.sub(r"\(\?:(.*?)\)\?", r"\1", plain)
                assert re.fullmatch(pattern, module)
                assert layer_and_matrix(module) == ((number, str(number)), matrix)


def test_a_matrix_of_another_architecture_has_the_end_of_the_modules_name() -> None:
    assert layer_and_matrix("model.layers.3.mlp.experts") == ((3, "3"), "experts")
    assert layer_and_matrix("lm_head") == ((-1, ""), "lm_head")


def test_the_map_is_ordered_by_layer_then_q_to_f2() -> None:
    ranks = {module: place for place, module in enumerate(opt_modules(11))}
    found = rank_map([{"step": 5, "ranks": ranks}])
    assert found is not None
    assert [name for name, _ in found.layers] == [str(layer) for layer in range(11)]
    assert [matrix for matrix, _ in found.layers[10][1]] == list(MATRICES)
    rows = dict(found.layers[10][1])
    assert rows["q"] == [ranks["model.decoder.layers.10.self_attn.q_proj"]]


def test_of_many_events_evenly_spaced_ones_are_shown_with_the_last() -> None:
    trace = [{"step": t, "ranks": {"decoder.layers.0.fc1": t}} for t in range(1, 1001)]
    found = rank_map(trace)
    assert found is not None
    assert (len(found.steps), found.events) == (SHOWN_EVENTS, 1000)
    assert found.steps[-1] == 1000
    gaps = {b - a for a, b in zip(found.steps, found.steps[1:], strict=False)}
    assert gaps <= {16, 17}
    assert found.layers[0][1][0][1] == found.steps
