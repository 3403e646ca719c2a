"""Domains as text, and which domains contain a previous domain or value."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from pydantic import ValidationError

from study.spec.domains import contains, domain_text, read_domain


def leaf(given_: Any) -> Any:
    return read_domain(given_) if isinstance(given_, dict) else given_


def number(kind: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"type": kind, "low": low, "high": high, **more}


def choices(*values: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(values)}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (number("int", 4, 8), number("int", 4, 8)),
        (number("int", 4, 8), number("int", 1, 16)),
        (number("int", 4, 8, step=2), number("int", 2, 9)),
        (number("int", 4, 12, step=4), number("int", 2, 12, step=2)),
        (number("int", 6, 6), number("int", 2, 10, step=4)),
        (number("int", 4, 8, log=True), number("int", 2, 8, log=True)),
        (number("float", 0.1, 0.2), number("float", 0.0, 0.2)),
        (number("float", 0.1, 0.3, step=0.1), number("float", 0.0, 0.3, step=0.05)),
        (number("float", 0.1, 0.3, step=0.1), number("float", 0.1, 0.3)),
        (number("float", 0.1, 0.3), number("float", 0.1, 0.4, role="nuisance")),
        (
            number("float", 0.5, 1.0, ratio_of="b0"),
            number("float", 0.25, 1.0, ratio_of="b0"),
        ),
        (choices("a", "b"), choices("c", "b", "a")),
        (8, number("int", 4, 8)),
        (8, number("int", 4, 12, step=2)),
        (0.1, number("float", 0.0, 0.3, step=0.1)),
        (None, choices(None, 0.5)),
        ("zero", choices("zero", "mask")),
        (0, choices(0.0, 0.1)),
    ],
)
def test_a_wider_domain_contains_the_previous_one(before: Any, now: Any) -> None:
    assert contains(leaf(now), leaf(before))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (number("int", 4, 8), number("int", 5, 8)),
        (number("int", 4, 8), number("int", 4, 7)),
        (number("int", 4, 8), number("float", 4, 8)),
        (number("int", 4, 8), choices(4, 5, 6, 7, 8)),
        (number("int", 4, 8), number("int", 4, 8, log=True)),
        (number("int", 4, 8), number("int", 4, 8, step=2)),
        (number("int", 4, 8, step=4), number("int", 2, 10, step=4)),
        (number("int", 6, 6), number("int", 4, 8, step=4)),
        (number("float", 0.0, 0.2), number("float", 0.0, 0.2, step=0.1)),
        (number("float", 0.1, 0.3, step=0.1), number("float", 0.05, 0.35, step=0.1)),
        (number("float", 0.5, 1.0), number("float", 0.25, 1.0, ratio_of="b0")),
        (number("float", 0.5, 1.0, ratio_of="b0"), number("float", 0.25, 1.0)),
        (choices("a", "b"), choices("a", "c")),
        (choices(4, 6), number("int", 2, 8)),
        (number("int", 4, 8), 6),
        (8, 8),
        (8, number("int", 9, 12)),
        (8, number("int", 6, 10, step=4)),
        (0.05, number("int", 0, 1)),
        (1, number("float", 0.25, 1.0, ratio_of="b0")),
        (None, number("float", 0.0, 1.0)),
        ("zero", choices("mask")),
    ],
)
def test_a_narrower_or_different_domain_does_not_contain_the_previous_one(
    before: Any, now: Any
) -> None:
    assert not contains(leaf(now), leaf(before))


@st.composite
def int_domains(draw: st.DrawFn) -> Any:
    low, step, steps = draw(st.integers(0, 9)), draw(st.integers(1, 4)), draw(st.integers(0, 6))
    return number("int", low, low + step * steps, step=step)


@given(before=int_domains(), now=int_domains())
def test_containment_of_integer_domains_equals_that_of_their_sets(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    assert contains(leaf(now), leaf(before)) == (set(values(before)) <= set(values(now)))


def values(domain: dict[str, Any]) -> range:
    return range(domain["low"], domain["high"] + 1, domain["step"])


ends = st.floats(0, 10, allow_nan=False)


@given(low=ends, high=ends, new_low=ends, new_high=ends, share=st.floats(0, 1))
def test_values_of_a_contained_domain_are_in_the_distribution_of_the_new_one(
    low: float, high: float, new_low: float, new_high: float, share: float
) -> None:
    assume(low <= high and new_low <= new_high)
    before, now = number("float", low, high), number("float", new_low, new_high)
    value = min(high, low + share * (high - low))
    inside = FloatDistribution(new_low, new_high)._contains(value)
    assert inside or not contains(leaf(now), leaf(before))


@given(now=int_domains(), value=st.integers(0, 40))
def test_a_fixed_value_is_contained_exactly_if_it_is_in_the_distribution(
    now: dict[str, Any], value: int
) -> None:
    try:
        domain = leaf(now)
    except ValidationError:
        return
    optuna = IntDistribution(now["low"], now["high"], step=now["step"])
    assert contains(domain, value) == optuna._contains(value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"type": "int", "low": 4, "high": 16, "step": 4}, "4 to 16, int, step 4"),
        ({"type": "float", "low": 1e-5, "high": 1e-3, "log": True}, "1e-05 to 0.001, float, log"),
        (
            {"type": "float", "low": 0.25, "high": 1.0, "ratio_of": "b0"},
            "0.25 to 1, float, as a ratio of b0",
        ),
        ({"type": "categorical", "choices": [0.05, "zero", True]}, "0.05 | zero | True"),
    ],
)
def test_the_text_of_a_domain_names_its_kind_and_its_scale(given, text):
    assert domain_text(read_domain(given)) == text
