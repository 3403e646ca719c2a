"""Distributions, corners and grids of domains, and the specs of single trials."""

from typing import get_args

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from study.errors import InputError
from study.spec import AdaLoraRSSpec, FloatDomain, IntDomain, StudySpec, load_spec, resolve
from study.spec.leaves import DEFAULT_MATRICES
from study.spec.methods import Adapter, late_setting
from study.spec.schema import BackboneSpec, TrainingSpec
from study.spec.space import corners, distributions, grid

RATIO = "{type: float, low: 0.25, high: 1, ratio_of: b0}"
LR = "{type: float, low: 1e-4, high: 1e-2, log: true, role: nuisance}"
SPACE = f"""
adapter:
  method: adalora_rs
  b0: {{type: int, low: 4, high: 16, step: 4}}
  bT: {RATIO}
  deltaT: {{type: float, low: 0.01, high: 0.25, log: true}}
  p: {{type: categorical, choices: [0.0, 0.05, 0.1]}}
training:
  lr: {LR}
"""
PARAMS = {"b0": 8, "bT_ratio": 0.5, "deltaT": 0.1, "p": 0.05, "lr": 1e-3}


def test_domains_are_ordered_by_section_and_field_and_keep_their_role(read):
    spec = read(SPACE)
    assert list(spec.domains) == ["b0", "bT", "deltaT", "p", "lr"]
    assert [leaf for leaf, domain in spec.domains.items() if domain.role == "nuisance"] == ["lr"]


def test_the_defaults_are_those_of_the_paper():
    spec = StudySpec()
    training, adapter = spec.training, spec.adapter
    assert (training.batch_size, training.eval_batch_size, training.epochs) == (8, 16, 5)
    assert (training.lr, training.warmup_ratio, training.weight_decay) == (3e-5, 0.1, 5e-3)
    assert isinstance(adapter, AdaLoraRSSpec)
    assert (adapter.b0, adapter.bT, adapter.deltaT, adapter.p) == (12, 6, 100, 0.05)
    assert (adapter.beta1, adapter.beta2, adapter.final_fraction) == (0.85, 0.85, 0.25)
    assert spec.domains == {}


def test_adalora_is_adalora_rs_without_rates(read):
    adapter = read("adapter: {method: adalora}").adapter
    assert adapter.p == 0
    assert adapter.p_reintroduce is None


def test_leaf_names_are_unique_over_every_method_the_training_and_the_backbone():
    others = [*TrainingSpec.model_fields, *BackboneSpec.model_fields]
    assert len(set(others)) == len(others)
    for method in get_args(get_args(Adapter)[0]):
        assert not set(method.model_fields) & set(others)


POOLED = """
backbone: {pooling: {type: categorical, choices: [auto, mean, last]}}
adapter: {method: adalora_rs, p: {type: categorical, choices: [0.0, 0.1]}}
points: [{pooling: mean, p: 0.1}]
search: {sampler: {name: grid}}
"""


def test_a_leaf_of_the_backbone_is_searched_like_any_other(read):
    spec = read(POOLED.replace("grid", "tpe"))
    assert list(spec.domains) == ["p", "pooling"]
    assert [spec.section_of(leaf) for leaf in spec.domains] == ["adapter", "backbone"]
    assert distributions(spec)["pooling"].choices == ("auto", "mean", "last")
    assert spec.point_params == [{"pooling": "mean", "p": 0.1}]
    resolved = resolve(spec, {"p": 0.1, "pooling": "last"})
    assert (resolved.backbone.pooling, resolved.backbone.changed) == ("last", {"pooling": "last"})
    assert {corner["pooling"] for corner in corners(spec)} == {"auto", "mean", "last"}


def test_the_grid_has_every_value_of_a_leaf_of_the_backbone(read):
    text = POOLED.replace("points: [{pooling: mean, p: 0.1}]", "")
    assert grid(read(text)) == {"p": [0.0, 0.1], "pooling": ["auto", "mean", "last"]}


def test_a_point_may_not_change_a_fixed_leaf_of_the_backbone(read):
    with pytest.raises(InputError, match="must be 'auto', its fixed value, but got 'mean'"):
        read("points: [{pooling: mean}]")


def test_a_backbone_without_pooling_has_the_pooling_of_its_class(read):
    assert read("backbone: {name: opt-dna-mini}").backbone.pooling == "auto"
    assert StudySpec().backbone.changed == {}


def test_the_objective_is_the_dev_metric(read):
    assert read("search: {metric: auc}").objective == "dev_auc"


def test_resolving_replaces_every_domain_and_nothing_else(read):
    resolved = resolve(read(SPACE), PARAMS)
    fixed = SPACE.replace("{type: int, low: 4, high: 16, step: 4}", "8").replace(RATIO, "4")
    fixed = fixed.replace("{type: float, low: 0.01, high: 0.25, log: true}", "0.1")
    fixed = fixed.replace("{type: categorical, choices: [0.0, 0.05, 0.1]}", "0.05")
    fixed = fixed.replace(LR, "1e-3")
    assert resolved == read(fixed)
    assert resolved.domains == {}


@given(b0=st.integers(1, 64), ratio=st.floats(0.01, 1))
def test_a_ratio_gives_a_bT_from_1_to_b0(b0: int, ratio: float):  # noqa: N802
    bT = FloatDomain(low=0.01, high=1.0, ratio_of="b0")
    spec = StudySpec(adapter=AdaLoraRSSpec(b0=IntDomain(low=1, high=64), bT=bT))
    adapter = resolve(spec, {"b0": b0, "bT_ratio": ratio}).adapter
    assert isinstance(adapter, AdaLoraRSSpec)
    assert adapter.bT == max(1, round(ratio * b0))
    assert 1 <= adapter.bT <= adapter.b0 == b0


def test_resolving_checks_the_values_again(read):
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        resolve(read(SPACE), PARAMS | {"p": 1.5})


def test_parameters_that_do_not_fit_the_domains_are_a_bug(read):
    with pytest.raises(ValueError, match=r"^parameters must be \['b0', 'bT_ratio', "):
        resolve(read(SPACE), PARAMS | {"bT": 3})


def test_distributions_have_the_parameter_names_and_bounds(read):
    assert distributions(read(SPACE)) == {
        "b0": optuna.distributions.IntDistribution(4, 16, step=4),
        "bT_ratio": optuna.distributions.FloatDistribution(0.25, 1.0),
        "deltaT": optuna.distributions.FloatDistribution(0.01, 0.25, log=True),
        "p": optuna.distributions.CategoricalDistribution((0.0, 0.05, 0.1)),
        "lr": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True),
    }


@pytest.mark.parametrize("name", ["adalora_rs", "adalora", "lora", "fmft", "smoke"])
def test_every_suggestion_of_optuna_resolves(name: str):
    spec = load_spec(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask(distributions(spec))
        assert resolve(spec, trial.params).domains == {}


def test_corners_show_the_ends_and_stay_few(read):
    points = corners(read(SPACE))
    low = {"b0": 4, "bT_ratio": 0.25, "deltaT": 0.01, "p": 0.0, "lr": 1e-4}
    high = {"b0": 16, "bT_ratio": 1.0, "deltaT": 0.25, "p": 0.1, "lr": 1e-2}
    assert points[:2] == [low, high]
    assert len(points) == 2 + 2 * len(low)
    middle = points[2] | {"b0": 12}
    assert middle["deltaT"] == pytest.approx(0.05)
    assert middle["p"] == 0.05
    for point in points[2:]:
        changed = [name for name in point if point[name] != middle[name]]
        assert len(changed) == 1
        assert point[changed[0]] in (low[changed[0]], high[changed[0]])
    for point in points:
        resolve(read(SPACE), point)


def test_corners_repeat_nothing(read):
    one = corners(read("training: {lr: {type: float, low: 1e-3, high: 1e-2}}"))
    assert one == [{"lr": 1e-3}, {"lr": 1e-2}]
    assert corners(StudySpec()) == [{}]


def test_the_grid_lists_every_value(read):
    spec = read(SPACE, f"adapter.bT={RATIO[:-1]}, step: 0.25}}", "adapter.deltaT=0.1")
    spec = spec.model_copy(update={"training": TrainingSpec()})
    assert grid(spec) == {
        "b0": [4, 8, 12, 16],
        "bT_ratio": [0.25, 0.5, 0.75, 1.0],
        "p": [0.0, 0.05, 0.1],
    }


def test_a_continuous_domain_has_no_grid(read):
    with pytest.raises(InputError, match=r"^lr: must be categorical or have a step .* add a step"):
        grid(read("training: {lr: {type: float, low: 1e-3, high: 1e-2}}"))


def test_a_setting_that_leaves_no_mask_event_is_named():
    adapter = AdaLoraRSSpec(deltaT=5000)
    assert late_setting(adapter, 3065) is not None
    assert late_setting(adapter, 3065)[0] == "deltaT"
    assert late_setting(adapter, 10000) is None
    assert late_setting(AdaLoraRSSpec(deltaT=0.5), 10) is None


def test_the_matrices_are_the_six_of_the_method():
    assert DEFAULT_MATRICES == ("q", "k", "v", "o", "f1", "f2")
