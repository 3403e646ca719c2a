"""Opponents: another method with otherwise equal settings, and one varied setting."""

from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import LoraSpec, StudySpec, load_spec
from study.spec.comparison.opponents import opponent, varied

FIRST = (
    "adapter.p=0.1", "adapter.b0=10", "adapter.bT=4", "adapter.deltaT=0.1", "adapter.beta1=0.7",
    "adapter.beta2=0.8", "adapter.alpha=16", "adapter.gamma=0.2", "training.lr=6e-3",
    "training.steps=50",
)  # fmt: skip


@pytest.fixture
def first() -> StudySpec:
    return load_spec("adalora_rs", FIRST)


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    return str(file)


def test_adalora_has_the_first_configurations_values_of_settings_without_a_value(
    first: StudySpec,
) -> None:
    made = opponent("adalora", first)
    opponent_settings, first_settings = dict(made.spec.adapter), dict(first.adapter)
    same = set(opponent_settings) - {"method", "alpha"}
    assert {name: opponent_settings[name] for name in same} == {
        name: first_settings[name] for name in same
    }
    assert opponent_settings["alpha"] == 32  # From its file.
    assert made.spec.training == first.training
    assert made.notes[0].startswith("not tuned for this method: lr 0.006; for a fair comparison")


def test_loras_rank_is_the_first_configurations_b0(first: StudySpec) -> None:
    made = opponent("lora", first)
    assert isinstance(made.spec.adapter, LoraSpec)
    assert made.spec.adapter.rank == 10
    assert made.notes[0] == "rank 10 is b0 of the first configuration"


def test_a_learning_rate_outside_the_range_of_a_method_is_replaced_by_the_nearest(
    first: StudySpec,
) -> None:
    made = opponent("fmft", first)
    assert made.spec.training.lr == 1e-3
    assert made.spec.training.steps == 50
    assert "lr 0.001 (the value in its range nearest to 0.006), weight_decay" in made.notes[0]


def test_settings_with_a_value_are_the_files_own_except_the_training_length(
    first: StudySpec, tmp_path: Path
) -> None:
    file = write(
        tmp_path,
        "adapter: {method: lora, rank: 3}\n"
        "training: {lr: 1e-4, batch_size: 2, steps: 7, reports: 1}\n"
        "task: {name: promoters, train: 7}\n",
    )
    made = opponent(file, first)
    assert made.spec.adapter.rank == 3  # type: ignore[union-attr]
    assert made.spec.adapter.alpha == 16  # type: ignore[union-attr]
    assert made.spec.training == first.training.model_copy(update={"lr": 1e-4})
    assert (made.spec.task, made.spec.backbone) == (first.task, first.backbone)
    assert made.notes == ()


def test_overrides_reach_the_settings_that_a_method_has(first: StudySpec) -> None:
    made = opponent("lora", first, ["adapter.b0=3", "adapter.rank=5", "training.steps=9"])
    assert made.spec.adapter.rank == 5  # type: ignore[union-attr]
    assert made.spec.training.steps == 50


def test_a_searched_setting_that_the_first_configuration_lacks_is_named() -> None:
    lora = load_spec("lora", ["adapter.rank=8", "training.lr=1e-3"])
    with pytest.raises(InputError, match=r"adalora: adapter\.bT: .* got none for lora"):
        opponent("adalora", lora)


def test_values_that_do_not_go_together_are_refused_in_one_line(
    first: StudySpec, tmp_path: Path
) -> None:
    file = write(tmp_path, "adapter: {method: adalora, b0: 2, bT: {type: int, low: 1, high: 2}}\n")
    with pytest.raises(InputError, match=r"other\.yaml: adapter\.bT: bT <= b0 must hold"):
        opponent(file, first)


def test_one_setting_is_varied_and_names_the_configuration(first: StudySpec) -> None:
    label, spec = varied(first, "adapter.prune_mode=mask")
    assert label == "prune_mode=mask"
    assert spec.adapter == first.adapter.model_copy(update={"prune_mode": "mask"})
    label, spec = varied(first, "adapter.p=0, adapter.p_reintroduce=0.1")
    assert label == "p=0,p_reintroduce=0.1"
    assert (spec.adapter.p, spec.adapter.p_reintroduce) == (0, 0.1)  # type: ignore[union-attr]
    label, spec = varied(first, "backbone.pooling=mean")
    assert (label, spec.backbone.pooling) == ("pooling=mean", "mean")
    _, spec = varied(first, "adapter.matrices=[q,v]")
    assert spec.adapter.matrices == ("q", "v")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("adapter.q=1", "--vary adapter.q=1: adapter.q: must be a known key"),
        ("adapter.p=2", "--vary adapter.p=2: adapter.p: p <= 1 must hold"),
        ("adapter.p", "must be of the form a.b=c"),
        ("task.train=3", "must be a setting of adapter or training"),
        ("backbone.name=esm2", "one of backbone that may be searched, but got 'backbone.name'"),
        ("adapter.p=0.1", "must change the first configuration"),
    ],
)
def test_a_setting_that_cannot_be_varied_is_refused(
    setting: str, found: str, first: StudySpec
) -> None:
    with pytest.raises(InputError) as caught:
        varied(first, setting)
    assert found in str(caught.value)


def test_p_is_unknown_to_a_method_without_it() -> None:
    lora = load_spec("lora", ["adapter.rank=8", "training.lr=1e-3"])
    with pytest.raises(
        InputError, match=r"--vary adapter\.p=0\.1: adapter\.p: must be a known key"
    ):
        varied(lora, "adapter.p=0.1")
