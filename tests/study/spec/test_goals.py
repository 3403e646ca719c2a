"""Objectives and constraints: parsing, violations, the Pareto front, errors."""

import random

import jsonschema
import pytest

from study.spec import StudySpec, dump_spec, json_schema
from study.spec.goals import METRICS, Constraint, ConstraintsSpec, Goals, Objective

BOTH = """
objectives: [maximize dev_mcc, minimize trainable_parameters]
constraints: {trainable_parameters: "<= 1.2e6", peak_memory_gib: <=16, dev_auc: " >=  .5 "}
"""
MCC, SIZE = Objective("dev_mcc", True), Objective("trainable_parameters", False)


def test_goals_are_read_and_survive_dumping(read):
    spec = read(BOTH)
    assert spec.goals.objectives == (MCC, SIZE)
    assert spec.goals.constraints == (
        Constraint("dev_auc", ">=", 0.5),
        Constraint("trainable_parameters", "<=", 1.2e6),
        Constraint("peak_memory_gib", "<=", 16.0),
    )
    assert read(dump_spec(spec)) == spec
    assert spec.goals.metrics == [
        "dev_mcc", "trainable_parameters", "dev_auc", "peak_memory_gib",
    ]  # fmt: skip


def test_the_search_metric_is_the_only_objective_by_default(read):
    assert StudySpec().goals == Goals((MCC,), ())
    assert read("search: {metric: loss}").goals.objectives == (Objective("dev_loss", False),)
    text = dump_spec(StudySpec())
    assert "objectives" not in text
    assert "constraints" not in text


def test_every_metric_may_be_bounded():
    assert tuple(ConstraintsSpec.model_fields) == METRICS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "constraints: {peak_memory: '<= 16'}",
            "x.yaml:1: constraints.peak_memory: must be a known key, but got 'peak_memory'; did "
            "you mean `peak_memory_gib`?",
        ),
        (
            "constraints:\n  peak_memory_gib: 16",
            "x.yaml:2: constraints.peak_memory_gib: must be a bound such as "
            '"<= 16" or ">= 0.5", but got 16',
        ),
        ("constraints: {dev_mcc: '< 1'}", "but got '< 1'"),
        ("constraints: {dev_mcc: '>= 1e999'}", "but got '>= 1e999'"),
        ("constraints:\n  dev_mcc: >= 0.5", "x.yaml:2: must be YAML, but"),
        ("constraints:\n  dev_mcc: >= 0.5", "; quote a text that begins with > or |"),
        ("constraints: [16]", "constraints: must be a mapping of keys to values"),
        ("objectives: maximize dev_mcc", "objectives: must be a list, but got"),
        (
            "objectives: [maximize dev_mcc, minimize params]",
            "objectives.1: must name a known metric, but got 'params'; known metrics: dev_mcc,",
        ),
        (
            "objectives: [maximize dev_mc]",
            "must name a known metric, but got 'dev_mc'; did you mean `dev_mcc`?",
        ),
        ("objectives: [dev_mcc]", "must be `maximize` or `minimize` and a metric, as in"),
        ("objectives: [maximize dev_mcc, maximize dev_mcc]", "but got dev_mcc twice; remove one"),
        (
            "objectives: [minimize dev_mcc]",
            "objectives.0: the first must be `maximize dev_mcc`, as search.metric is mcc, but got "
            "minimize dev_mcc; change one of the two",
        ),
        (
            "objectives: [maximize dev_mcc]\nsearch: {metric: loss}",
            "the first must be `minimize dev_loss`",
        ),
        (
            "objectives: [maximize dev_mcc, minimize dev_loss]\n"
            "search:\n  sampler:\n    name: cmaes",
            "x.yaml:4: search.sampler.name: must support several objectives, but got cmaes",
        ),
    ],
)
def test_invalid_goals_are_refused(refused, text: str, message: str):
    assert message in refused(text)


def test_the_json_schema_has_the_goals():
    schema = jsonschema.Draft202012Validator(json_schema())
    assert schema.is_valid({"objectives": ["maximize dev_mcc"], "constraints": {"dev_f1": "<=1"}})
    assert not schema.is_valid({"objectives": ["maximize"]})
    assert not schema.is_valid({"constraints": {"dev_f1": "about 1"}})
    assert not schema.is_valid({"constraints": {"f1": "<= 1"}})


@pytest.mark.parametrize(
    ("sign", "bound", "value", "violation"),
    [
        ("<=", 10.0, 5.0, -0.5),
        ("<=", 10.0, 15.0, 0.5),
        (">=", 0.5, 0.25, 0.5),
        (">=", -0.5, -1.0, 1.0),
        ("<=", 0.0, 3.0, 3.0),
        ("<=", 10.0, 10.0, 0.0),
        ("<=", 10.0, None, 1.0),
    ],
)
def test_a_violation_is_a_share_of_the_bound(sign, bound, value, violation):
    assert Constraint("dev_mcc", sign, bound).violation(value) == violation


def test_the_front_has_the_trials_that_no_other_dominates():
    goals = Goals((MCC, SIZE), ())
    values = {0: [0.5, 100.0], 1: [0.6, 100.0], 2: [0.6, 90.0], 3: [0.2, 10.0], 4: [0.6, 90.0]}
    assert goals.front(values) == [2, 4, 3]
    assert goals.front({}) == []


def test_the_front_equals_its_definition():
    goals = Goals((MCC, SIZE, Objective("train_seconds", False)), ())
    draw = random.Random(0)
    for _ in range(50):
        values = {n: [float(draw.randrange(4)) for _ in range(3)] for n in range(20)}
        gains = {n: [v[0], -v[1], -v[2]] for n, v in values.items()}
        beaten = {
            n
            for n, mine in gains.items()
            for theirs in gains.values()
            if theirs != mine and all(a >= b for a, b in zip(theirs, mine, strict=True))
        }
        assert set(goals.front(values)) == set(values) - beaten
