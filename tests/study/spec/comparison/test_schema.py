"""The spec of a comparison: writing and reading, seeds, and invalid comparisons."""

from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import SeedsSpec, StudySpec, load_spec
from study.spec.comparison.schema import (
    ComparisonSpec,
    FactorSeeds,
    check_comparable,
    dump_comparison,
    is_comparison,
    load_comparison,
    load_configurations,
)
from tests.study.ledgers import without_score_loss


def spec_of(*overrides: str) -> StudySpec:
    return load_spec("smoke", ("adapter.p=0.1", "adapter.b0=4", "adapter.bT=2", "training.lr=1e-3",
                               *overrides))  # fmt: skip


def test_a_comparison_is_read_as_it_was_written(tmp_path: Path) -> None:
    spec = ComparisonSpec(
        configurations={"best": spec_of(), "p=0,p_reintroduce=.1": spec_of("adapter.p=0")},
        seeds=FactorSeeds.fresh(SeedsSpec(), 2, 1, 3),
    )
    file = tmp_path / "spec.yaml"
    file.write_text(dump_comparison(spec))
    assert load_comparison(file) == spec
    with pytest.raises(InputError, match=r"got a comparison; .*python -m study\.seeds"):
        load_spec(str(file))


def test_the_scores_of_a_comparison_of_an_older_version_are_of_the_total_loss(
    tmp_path: Path,
) -> None:
    specs = {"best": spec_of(), "lora": spec_of("adapter={method: lora}")}
    spec = ComparisonSpec(configurations=specs, seeds=FactorSeeds.fresh(SeedsSpec(), 1, 1, 1))
    file = tmp_path / "spec.yaml"
    file.write_text(dump_comparison(spec))
    without_score_loss(file)
    expected = {"best": spec_of("adapter.score_loss=total"), "lora": specs["lora"]}
    assert load_comparison(file).configurations == expected
    assert load_configurations(file).configurations == expected


@pytest.mark.parametrize(("text", "found"), [("{a: {}}\nseeds: {}", True), ("{a: {}}", False)])
def test_a_race_which_names_no_seeds_is_no_comparison(
    tmp_path: Path, text: str, found: bool
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(f"configurations: {text}\n")
    assert is_comparison(file) is found


def test_seeds_are_the_first_of_a_fixed_sequence_apart_from_the_studys_own() -> None:
    few = FactorSeeds.fresh(SeedsSpec(init=7, data=2**32 - 1), 2, 2, 2)
    assert few.mask == (2000, 2001)
    assert few.init == (2007, 2008)
    assert few.data == (1999, 2000)
    more = FactorSeeds.fresh(SeedsSpec(init=7, data=2**32 - 1), 5, 3, 2)
    assert more.mask[:2] == few.mask
    assert more.init[:2] == few.init


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("task.train=7", "b: task must be that of a, .*train 320.*, but got .*train 7"),
        ("backbone.dtype=bfloat16", "b: backbone must be that of a, the default, but got dtype"),
        ("search.metric=auc", r"b: search\.metric must be that of a, mcc, but got auc"),
        ("seeds.init=3", "b: configurations must differ, but got the settings of a again"),
    ],
)
def test_configurations_of_another_kind_or_of_the_same_settings_are_refused(
    other: str, found: str
) -> None:
    with pytest.raises(InputError, match=found):
        check_comparable({"a": spec_of(), "b": spec_of(other)})
