"""The runs of a comparison, and which changes a resume allows."""

from pathlib import Path

import pytest

from study.engine.comparison.design import changes_of_comparison, runs_of
from study.engine.comparison.preview import check_runs
from study.errors import InputError
from study.spec import SeedsSpec
from study.spec.comparison.schema import (
    ComparisonSpec,
    FactorSeeds,
    count_runs,
    dump_comparison,
    load_comparison,
)
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


def paired(pairs: int, crossed: int = 0) -> ComparisonSpec:
    given = {"components": FactorSeeds.fresh(SeedsSpec(), crossed, 1, 1)} if crossed else {}
    return ComparisonSpec(
        configurations={"best": BEST.spec, "never": NEVER.spec},
        pairs=FactorSeeds.fresh(SeedsSpec(), pairs, pairs, pairs),
        **given,
    )


def test_pairs_have_fresh_seeds_that_all_configurations_share() -> None:
    runs = runs_of(paired(3))
    assert [(r.configuration.label, r.mask, r.init, r.data) for r in runs] == [
        (label, mask if label == "best" else None, mask, mask)
        for mask in (2000, 2001, 2002)
        for label in ("best", "never")
    ]


def test_crossed_runs_come_after_the_pairs_and_no_run_is_made_twice() -> None:
    runs = runs_of(paired(3, crossed=4))
    assert len(runs) == len(set(runs)) == 6 + 3
    assert {run.configuration.label for run in runs[6:]} == {"best"}
    assert [run.mask for run in runs[6:]] == [2001, 2002, 2003]


def test_a_stored_comparison_is_read_as_it_was(tmp_path: Path) -> None:
    for spec in (paired(3, crossed=4), paired(2), comparison(2, 2, 2)):
        file = tmp_path / "spec.yaml"
        file.write_text(dump_comparison(spec))
        assert load_comparison(file) == spec
        assert count_runs(spec) == len(runs_of(spec))


@pytest.mark.parametrize(("now", "allowed"), [(paired(5), True), (paired(2, 3), True),
    (paired(1), False), (comparison(2, 2, 2), False)])  # fmt: skip
def test_pairs_may_be_added_and_the_design_may_not_change(
    now: ComparisonSpec, allowed: bool, tmp_path: Path
) -> None:
    open_folder(tmp_path / "a", dump_comparison(paired(2)))
    if allowed:
        check_folder(tmp_path / "a", changes_of_comparison(now), resume=True)
    else:
        with pytest.raises(InputError, match="pairs"):
            check_folder(tmp_path / "a", changes_of_comparison(now), resume=True)


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
