"""Damage that is damage, the same for the same seed."""

import random
import time

import pytest

from tests.fuzz.mutations import TookTooLong, damaged_bytes, damaged_value, nested, time_limit

VALUE = {"a": [1, {"b": "c"}], "d": {"e": 2.5}, "f": []}


def test_damage_depends_on_the_seed_alone() -> None:
    data = bytes(range(256)) * 20
    assert damaged_bytes(data, random.Random(3)) == damaged_bytes(data, random.Random(3))
    assert repr(damaged_value(VALUE, random.Random(3))) == repr(
        damaged_value(VALUE, random.Random(3))
    )


def test_most_damage_changes_something_and_never_the_original() -> None:
    data, before = bytes(range(256)) * 20, repr(VALUE)
    changed = sum(damaged_bytes(data, random.Random(seed)) != data for seed in range(200))
    values = sum(repr(damaged_value(VALUE, random.Random(seed))) != before for seed in range(200))
    assert changed > 150
    assert values > 150
    assert repr(VALUE) == before


def test_empty_data_can_be_damaged() -> None:
    for seed in range(50):
        damaged_bytes(b"", random.Random(seed))
        damaged_value({}, random.Random(seed))


def test_nesting_is_as_deep_as_asked() -> None:
    assert nested(1, 3) == [[[1]]]


def test_a_hang_is_an_error_that_names_the_case() -> None:
    with pytest.raises(TookTooLong, match="case 7 took more than"), time_limit(0.02, "case 7"):
        time.sleep(5)
