"""Points, the configurations that are tried first, and their errors."""

import jsonschema
import optuna
import pytest

from study.paper.reference import hyperparameters
from study.spec import dump_spec, json_schema, load_spec, resolve
from study.spec.loading import shipped_spaces
from study.spec.space import distributions

SPACE = """
adapter:
  method: adalora_rs
  deltaT: 5
  b0: {type: int, low: 4, high: 16, step: 4}
  bT: {type: float, low: 0.25, high: 1.0, ratio_of: b0}
  p: {type: float, low: 0, high: 0.3}
  prune_mode: {type: categorical, choices: [zero, mask]}
training: {steps: 40, reports: 4}
"""


def test_a_point_is_read_by_the_samplers_names(read):
    text = SPACE + "points: [{b0: 8, bT: 6, p: 0, prune_mode: mask, deltaT: 5}, {bT_ratio: 1}, {}]"
    spec = read(text)
    assert spec.point_params == [
        {"b0": 8, "bT_ratio": 0.75, "p": 0.0, "prune_mode": "mask"}, {"bT_ratio": 1.0}, {},
    ]  # fmt: skip
    assert isinstance(spec.point_params[0]["p"], float)
    assert read(dump_spec(spec)) == spec
    assert "- {b0: 8, bT: 6, p: 0, prune_mode: mask, deltaT: 5}" in dump_spec(spec).splitlines()


def test_a_points_final_budget_is_that_many_triplets(read):
    for b0 in (4, 8, 12, 16):
        for bT in range(b0 // 4, b0 + 1):
            spec = read(SPACE + f"points: [{{b0: {b0}, bT: {bT}, p: 0.1, prune_mode: zero}}]")
            assert resolve(spec, spec.point_params[0]).adapter.bT == bT


def test_a_point_needs_no_b0_where_it_is_fixed(read):
    spec = read(SPACE + "points: [{bT: 2}]", "adapter.b0=4")
    assert spec.point_params == [{"bT_ratio": 0.5}]


def test_the_spec_of_a_trial_has_no_points(read):
    spec = read(SPACE + "points: [{b0: 8, bT: 6, p: 0.1, prune_mode: mask}]")
    assert resolve(spec, spec.point_params[0] | {"b0": 16}).points == ()


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (
            "bT: 6",
            "points.0.bT: must be given with b0, of which it is searched as a ratio, but got noth",
        ),
        ("b0: 8, bT: 1", "points.0.bT: bT / b0 must lie in 0.25 to 1, but got 0.125 = 1 / 8"),
        ("b0: 8, bT: 1.5", "points.0.bT: must be a whole number of triplets, but got 1.5"),
        (
            "b0: 8, bT: 6, bT_ratio: 1",
            "points.0.bT: must not be given with bT_ratio, but got both",
        ),
        ("b0: 6", "points.0.b0: must be 4 plus steps of 4, but got 6"),
        ("b0: 8.0", "points.0.b0: must be a whole number, but got 8.0"),
        ("b0: true", "points.0.b0: must be a whole number, but got True"),
        ("p: 0.4", "points.0.p: must lie in 0 to 0.3, but got 0.4"),
        ("p: .nan", "points.0.p: must lie in 0 to 0.3, but got nan"),
        ("p: low", "points.0.p: must be a number, but got 'low'"),
        ("p: [1]", "points.0.p: must be a plain value, but got [1]"),
        ("prune_mode: zer", "points.0.prune_mode: must be one of zero, mask, but got 'zer'"),
        (
            "deltaT: 6",
            "points.0.deltaT: must be 5, its fixed value, but got 6; leave it out of the",
        ),
        (
            "gama: 0.8",
            "points.0.gama: must be a known setting, but got 'gama'; did you mean `gamma`?",
        ),
    ],
)
def test_a_point_outside_the_space_is_refused_with_its_line(refused, point: str, message: str):
    assert refused(SPACE + f"points:\n  - {{{point}}}\n").startswith(f"x.yaml:11: {message}")


def test_invalid_lists_of_points_are_refused(refused):
    assert "points: must be a list, but got a mapping" in refused(SPACE + "points: {p: 0.1}")
    assert "points.0: must be a mapping of keys to values" in refused(SPACE + "points: [3]")
    grid = SPACE + "search: {sampler: {name: grid}}\npoints: [{prune_mode: mask}]\n"
    text = refused(grid, "adapter.p={type: float, low: 0, high: 0.2, step: 0.1}", "adapter.bT=2")
    assert "points: must be left out with the grid sampler, which tries every comb" in text


def test_an_override_removes_the_points_of_the_file_that_have_its_leaf(read, refused):
    text = SPACE + "points:\n  - {p: 0.1}\n  - {b0: 8, bT: 6}\n  - {prune_mode: mask}\n"
    assert read(text, "adapter.p=0.2").point_params == [
        {"b0": 8, "bT_ratio": 0.75}, {"prune_mode": "mask"},
    ]  # fmt: skip
    assert [len(read(text, s).points) for s in ("adapter.bT=2", "training.lr=1e-3")] == [2, 3]
    assert read(text, "adapter={method: lora}").points == ()
    assert read(text, "points=[{p: 0.2}]").point_params == [{"p": 0.2}]
    wrong = text.replace("mask}\n", "zer}\n")
    assert refused(wrong, "adapter.p=0.2").startswith("x.yaml:13: points.1.prune_mode: must be")
    given = refused(text, "points=[{p: 0.2}]", "adapter.p=0.1")
    assert given.startswith(
        "--set points=[{p: 0.2}]: points.0.p: must be 0.1, its fixed value, but"
    )


def test_the_json_schema_has_points():
    schema = jsonschema.Draft202012Validator(json_schema())
    assert schema.is_valid({"points": [{"p": 0.1, "prune_mode": "mask"}]})
    assert not schema.is_valid({"points": [{"p": [0.1]}]})
    assert not schema.is_valid({"points": {"p": 0.1}})


@pytest.mark.parametrize("name", shipped_spaces())
def test_optuna_accepts_the_points_of_the_shipped_spaces(name: str):
    spec = load_spec(name)
    space = distributions(spec)
    for params in spec.point_params:
        chosen = {leaf: space[leaf] for leaf in params}
        optuna.trial.create_trial(params=params, distributions=chosen, value=0.0)


@pytest.mark.parametrize(
    ("name", "task", "rows"),
    [
        ("adalora_rs", "prom/all", 47356),
        ("adalora", "prom/all", 47356),
        ("opt_125m_promoters", "prom/all", 47356),
        ("dnabert_2_promoters", "prom/all", 47356),
        ("nt_500m_emp", "emp/H3", 11971),
    ],
)
def test_the_shipped_points_are_those_of_table_s1(name: str, task: str, rows: int):
    """deltaT is the paper's share of T, with its batches of 8 and 5 epochs."""
    paper = hyperparameters(task)
    assert paper is not None
    T = round((1 - paper["final_fraction"]) * 5 * -(-rows // 8))
    point = load_spec(name).points[0]
    assert point["deltaT"] == pytest.approx(paper["deltaT"] / T, rel=0.02)
    assert {leaf: point[leaf] for leaf in point if leaf != "deltaT"} == {
        leaf: paper[leaf] for leaf in point if leaf != "deltaT"
    }
