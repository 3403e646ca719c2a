"""The crossed design, and which changes a resume allows."""

from pathlib import Path

import pytest

from study.engine.comparison.design import changes_of_comparison, runs_of
from study.engine.comparison.preview import check_runs
from study.errors import InputError
from study.spec import SeedsSpec
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds, dump_comparison
from study.storage.opening import check_folder, open_folder
from study.training.encoding import EncodedTask, encode_split
from tests.study.engine.comparison.small import configuration

BEST, NEVER = configuration(), configuration("never", "adapter.p=0")


def comparison(*seeds: int, **specs: object) -> ComparisonSpec:
    given = specs or {"best": BEST.spec, "never": NEVER.spec}
    return ComparisonSpec(
        configurations=given, seeds=FactorSeeds.fresh(SeedsSpec(), *(seeds or (2, 2, 2)))
    )


def test_seeds_are_crossed_and_without_a_random_mask_one_mask_seed_is_used() -> None:
    runs = runs_of(comparison(5, 3, 3))
    assert len(runs) == len(set(runs)) == 45 + 9
    drawn = [run for run in runs if run.configuration.label == "best"]
    assert len({(run.mask, run.init, run.data) for run in drawn}) == 45
    assert {run.mask for run in runs if run.configuration.label == "never"} == {None}


def test_all_configurations_of_a_block_come_before_the_next_block() -> None:
    blocks = [(run.data, run.init) for run in runs_of(comparison(2, 2, 2))]
    assert blocks == sorted(blocks)
    assert [run.configuration.label for run in runs_of(comparison())[:3]] == [
        "best", "best", "never",
    ]  # fmt: skip


def test_class_weights_of_every_configuration_must_fit_the_classes() -> None:
    weighted = configuration("weighted", "training.class_weights=[1, 2, 3]")
    split = encode_split([[5] * 20] * 32, [0, 1] * 16)
    data = EncodedTask("mine", 2, 1, split, split, split)
    spec = comparison(best=BEST.spec, weighted=weighted.spec)
    with pytest.raises(InputError, match=r"^weighted: training.class_weights: must have a weight"):
        check_runs(spec, data)
    assert weighted.settings["class_weights"] == "1.0 2.0 3.0"


@pytest.mark.parametrize(
    ("overrides", "masked"),
    [
        ((), True),
        (("adapter.p=0",), False),
        (("adapter.p=0", "adapter.p_reintroduce=0.1"), True),
        (("adapter.p_reintroduce=0",), True),
    ],
)
def test_the_mask_is_random_if_p_or_p_reintroduce_is_above_0(
    overrides: tuple[str, ...], masked: bool
) -> None:
    assert configuration("a", *overrides).is_masked is masked


@pytest.mark.parametrize(
    "now",
    [
        comparison(3, 2, 2),
        comparison(2, 5, 3),
        comparison(best=BEST.spec, never=NEVER.spec, new=configuration("n", "adapter.p=.2").spec),
        comparison(best=configuration("b", "resources.max_concurrent=1").spec, never=NEVER.spec),
    ],
)
def test_a_comparison_may_be_extended(now: ComparisonSpec, tmp_path: Path) -> None:
    open_folder(tmp_path / "a", dump_comparison(comparison()))
    check_folder(tmp_path / "a", changes_of_comparison(now), resume=True)


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (comparison(1, 2, 2), r"mask seeds \(2 before, 1 now\)"),
        (comparison(best=BEST.spec), r"configuration never \(left out\)"),
        (comparison(best=NEVER.spec, never=BEST.spec), r"best \(changed settings\); .* never"),
        (
            ComparisonSpec(
                configurations=comparison().configurations,
                seeds=FactorSeeds.fresh(SeedsSpec(init=1), 2, 2, 2),
            ),
            r"init seeds \(from 2000 before, from 2001 now\)",
        ),
    ],
)
def test_a_comparison_may_not_be_reduced_or_changed(
    now: ComparisonSpec, found: str, tmp_path: Path
) -> None:
    open_folder(tmp_path / "a", dump_comparison(comparison()))
    with pytest.raises(InputError, match=found):
        check_folder(tmp_path / "a", changes_of_comparison(now), resume=True)
