"""A spec written as YAML, pickled, and described as a JSON schema."""

import pickle
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from study.spec import StudySpec, dump_spec, json_schema, load_spec, resolve
from study.spec.loading import shipped_folder, shipped_spaces
from study.spec.space import corners

SCHEMA = jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_survives_dumping_and_pickling(name: str, read):
    spec = load_spec(name)
    assert read(dump_spec(spec)) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_resolved_spec_is_a_valid_space(name: str, read):
    spec = load_spec(name)
    for point in corners(spec):
        resolved = resolve(spec, point)
        assert read(dump_spec(resolved)) == resolved


def test_paths_and_odd_choices_survive_dumping(read):
    spec = read(
        "adapter: {method: adalora_rs, p_reintroduce: {type: categorical, choices: [null, 0.0]}}\n"
        "task: {path: 'a folder: # with \"signs\"', label_column: 'no', split: {column: '1'}}\n"
        "search: {sampler: {name: cmaes, popsize: 6}}\n"
        "training: {steps: 800}\n"
    )
    assert read(dump_spec(spec)) == spec


@pytest.mark.parametrize(
    "task",
    [
        "{name: emp/H3, revision: v1}",
        "{name: nt/H4ac, path: data, seed: 3}",
        "{path: data, split: {dev: 0.1, test: 0.2, seed: 3}}",
        "{path: data, split: {column: chrom, dev: [chr8, 9], test: 0.2, group: gene}}",
        "{path: data, columns: {label: 'x(.)', id: name}}",
    ],
)
def test_tasks_survive_dumping(read, task):
    spec = read(f"task: {task}")
    assert read(dump_spec(spec)) == spec


numbers = st.floats(min_value=1e-300, max_value=1e300)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lr=numbers, head_lr=st.none() | numbers, low=numbers, high=numbers, seed=st.integers(0, 99))
def test_numbers_survive_dumping_exactly(read, lr, head_lr, low, high, seed):
    domain = {"type": "float", "low": min(low, high), "high": max(low, high), "log": True}
    training = {"lr": lr, "weight_decay": domain, "head_lr": head_lr}
    spec = StudySpec.model_validate({"training": training, "seeds": {"mask": seed}})
    assert spec.training.lr == lr
    assert read(dump_spec(spec)) == spec


def test_a_dumped_domain_is_on_one_line():
    lines = dump_spec(load_spec("adalora_rs")).splitlines()
    assert "  b0: {type: int, low: 6, high: 14}" in lines
    assert "  matrices: [q, k, v, o, f1, f2]" in lines


@pytest.mark.parametrize("name", shipped_spaces())
def test_the_json_schema_accepts_every_shipped_space(name: str):
    SCHEMA.validate(YAML(typ="safe").load((shipped_folder() / f"{name}.yaml").read_text("utf-8")))


def refusals(values: dict[str, Any]) -> list[str]:
    return [error.json_path for error in SCHEMA.iter_errors(values)]


def test_the_json_schema_refuses_invalid_types_and_keys():
    assert refusals({"training": {"lr": 1e-3}}) == []
    assert refusals({"training": {"lr": {"type": "float", "low": 1, "high": 2}}}) == []
    assert refusals({"training": {"lr": "fast"}}) == ["$.training.lr"]
    assert refusals({"training": {"lr": {"type": "float", "low": 1}}}) == ["$.training.lr"]
    assert refusals({"search": {"trials": {"type": "int", "low": 1, "high": 2}}}) != []
    assert refusals({"task": {"name": "prom_core/all"}}) == []
    assert refusals({"task": {"name": "prom_core/none"}}) != []
    assert refusals({"adaptor": {}}) == ["$"]
