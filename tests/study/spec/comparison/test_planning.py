"""Which seeds a comparison uses, by what is compared and asked for."""

from typing import Any

import pytest

from study.errors import InputError
from study.spec import SeedsSpec, StudySpec, load_spec
from study.spec.comparison.planning import SeedsPlan, seeds_of_plan
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds, count_runs
from tests.study.engine.comparison.small import SMALL


def spec_of(*overrides: str) -> StudySpec:
    return load_spec("smoke", (*SMALL, *overrides))


ONE = {"best": spec_of()}
TWO = {**ONE, "never": spec_of("adapter.p=0")}
OLD = ComparisonSpec(configurations=TWO, seeds=FactorSeeds.fresh(SeedsSpec(), 5, 3, 2))


def sizes(
    configurations: dict[str, StudySpec], stored: ComparisonSpec | None = None, **asked: Any
) -> dict[str, tuple[int, ...]]:
    found = seeds_of_plan(SeedsPlan(**asked), configurations, SeedsSpec(), stored)
    return {name: tuple(len(own) for _, own in seeds) for name, seeds in found.items()}


def test_several_configurations_have_pairs_and_a_single_one_has_crossed_seeds() -> None:
    assert sizes(TWO) == {"pairs": (27, 27, 27)}
    assert sizes(ONE) == {"components": (5, 3, 3)}
    assert sizes(ONE, pairs=6) == {"pairs": (6, 6, 6)}


def test_crossed_seeds_are_added_if_they_are_asked_for() -> None:
    both = {"pairs": (9, 9, 9), "components": (5, 3, 3)}
    assert sizes(TWO, pairs=9, components=True) == both
    assert sizes(TWO, pairs=9, design="both") == both
    assert sizes(TWO, pairs=9, crossing=(8, None, None))["components"] == (8, 3, 3)
    assert sizes(TWO, design="crossed") == {"components": (5, 3, 3)}


def test_a_budget_is_divided_and_not_exceeded() -> None:
    for runs in (24, 45, 90, 135, 400):
        found = seeds_of_plan(SeedsPlan(runs=runs), TWO, SeedsSpec(), None)
        assert count_runs(ComparisonSpec(configurations=TWO, **found)) <= runs
    assert sizes(TWO, runs=135) == {"pairs": (45, 45, 45), "components": (5, 3, 3)}
    assert sizes(TWO, runs=24) == {"pairs": (12, 12, 12)}
    assert sizes(TWO, runs=60, design="paired") == {"pairs": (30, 30, 30)}
    assert sizes(ONE, runs=40) == {"components": (4, 3, 3)}


def test_a_resumed_comparison_keeps_what_is_not_asked_for() -> None:
    now = seeds_of_plan(SeedsPlan(pairs=9, components=True), TWO, SeedsSpec(), None)
    stored = ComparisonSpec(configurations=TWO, **now)
    assert sizes(TWO, stored) == {"pairs": (9, 9, 9), "components": (5, 3, 3)}
    assert sizes(TWO, stored, pairs=12)["pairs"] == (12, 12, 12)
    assert sizes(TWO, stored, crossing=(7, None, None))["components"] == (7, 3, 3)
    assert sizes(TWO, stored, pairs=8)["pairs"] == (8, 8, 8)  # Which the folder then refuses.
    assert sizes(TWO, stored, pairs=8, until_decided=True)["pairs"] == (9, 9, 9)


def test_a_comparison_of_an_earlier_version_keeps_its_crossed_seeds() -> None:
    assert sizes(TWO, OLD) == {"seeds": (5, 3, 2)}
    assert sizes(TWO, OLD, crossing=(8, None, None)) == {"seeds": (8, 3, 2)}


@pytest.mark.parametrize(
    ("configurations", "stored", "asked", "message"),
    [
        (TWO, OLD, {"pairs": 9}, "must keep its crossed seeds"),
        (TWO, OLD, {"until_decided": True}, "must keep its crossed seeds"),
        (TWO, None, {"pairs": 9, "design": "crossed"}, "--pairs 9: must be given with --design"),
        (TWO, None, {"crossing": (8, 3, 3), "design": "paired"}, "must be given with crossed"),
        (TWO, None, {"runs": 10}, "at least 8 pairs of 2 configurations, but got 5"),
        (TWO, None, {"runs": 90, "pairs": 9}, "--runs 90: must be given without --pairs"),
        (ONE, None, {"runs": 5}, "--runs 5: must be at least 12 for crossed runs"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    configurations: dict[str, StudySpec],
    stored: ComparisonSpec | None,
    asked: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        sizes(configurations, stored, **asked)
