"""Several objectives and constraints in the report: the front, its chart, the tables."""

from pathlib import Path

import pytest

from study.analysis.study.curves import best_so_far
from study.analysis.study.figures.tradeoffs import tradeoffs
from study.analysis.study.front import pareto_front
from study.analysis.study.overview import settings
from study.analysis.study.page import render
from study.analysis.study.trial_table import trial_table
from tests.study.analysis.balanced import Balanced
from tests.study.analysis.study.made_studies import PARAMS, SPEC, MadeStudy

GOALS = """\
objectives: [maximize dev_mcc, minimize kept_parameters]
constraints: {peak_memory_gib: "<= 4"}
points: [{p: 0.1, b0: 8}]
"""
# Score, kept parameters, memory, state.
TRIALS = [
    (0.5, 100, 2.0, "complete"),
    (0.9, 200, 5.0, "complete"),
    (0.4, 120, 2.0, "complete"),
    (0.3, 50, 2.0, "complete"),
    (0.9, 10, 2.0, "pruned"),
]


@pytest.fixture
def made(tmp_path: Path) -> MadeStudy:
    made = MadeStudy(tmp_path / "goals", SPEC + GOALS, reports=1)
    for number, (score, kept, memory, state) in enumerate(TRIALS):
        made.create(number)
        metrics = {"dev_mcc": score, "kept_parameters": kept, "peak_memory_gib": memory,
                   "trainable_parameters": 300, "train_loss": 0.5}  # fmt: skip
        made.append("report", trial=number, report=1, step=80, metrics=metrics)
        made.end(number, state)
    return made


def test_the_front_has_one_row_per_trial_best_score_first(made: MadeStudy) -> None:
    found = pareto_front(made.read())
    assert found is not None
    assert found.columns[:2] == ["dev_mcc", "kept_parameters"]
    assert [(trial, cells[:2]) for trial, cells in found.rows] == [
        (0, ["0.5000", "100"]), (3, ["0.3000", "50"]),
    ]  # fmt: skip


def test_the_chart_marks_the_front_of_each_cost(made: MadeStudy) -> None:
    chart = tradeoffs(made.read())
    assert chart is not None
    assert set(chart.options["costs"]) == {"kept_parameters", "trainable_parameters"}
    assert chart.options["fronts"]["kept_parameters"] == [3, 0]
    assert chart.options["fronts"]["trainable_parameters"] == [0]
    assert chart.columns["kept_parameters"] == [100, 200, 120, 50, 10]
    assert chart.columns["state"][-1] == "stopped early"


def test_one_objective_has_no_front(study: MadeStudy) -> None:
    assert pareto_front(study.read()) is None
    assert "on the Pareto front" not in render(study.read())


def test_the_leader_meets_the_constraints_and_violating_trials_come_last(
    made: MadeStudy,
) -> None:
    study = made.read()
    assert study.leader is not None
    assert study.leader.number == 0
    table = trial_table(study)
    assert [row.trial for row in table.rows] == [0, 2, 3, 1, 4]
    assert table.columns[-1] == "feasible"
    assert [row.cells[-1] for row in table.rows] == ["yes", "yes", "yes", "no", "–"]
    assert {"kept_parameters", "peak_memory_gib"} <= set(table.columns)
    assert best_so_far(study).best == [(0, 0.5), (2, 0.5), (3, 0.5), (4, 0.5)]


def test_the_page_shows_the_goals_and_the_front(made: MadeStudy) -> None:
    study = made.read()
    rows = dict(settings(study.spec))
    assert rows["objectives"] == "maximize dev_mcc, minimize kept_parameters"
    assert rows["constraints"] == "peak_memory_gib <= 4"
    assert rows["points"] == "p=0.1, b0=8"
    text = Balanced(render(study)).text
    assert "2 trials are on the Pareto front: no other trial that meets the constraints" in text


def test_without_a_feasible_trial_the_page_names_the_smallest_violation(
    tmp_path: Path,
) -> None:
    spec = SPEC + 'constraints: {peak_memory_gib: "<= 1"}\n'
    made = MadeStudy(tmp_path / "tight", spec, reports=1)
    for number, memory in enumerate([4.0, 2.0, 3.0, 8.0]):
        made.create(number)
        metrics = {"dev_mcc": 0.5, "peak_memory_gib": memory, "train_loss": 0.5}
        made.append("report", trial=number, report=1, step=80, metrics=metrics)
        made.end(number, "complete")
    text = Balanced(render(made.read())).text
    why = "o complete trial meets the constraints; nearest comes trial 1, with peak_memory_gib 2"
    assert f"The study ended without a winner: n{why} against 1." in text
    assert f"No winner N{why} against 1." in text


def test_the_page_names_the_results_that_a_study_started_with(study: MadeStudy) -> None:
    one = {"trial": 0, "params": PARAMS, "state": "complete", "values": [0.5], "steps": []}
    results = [one | {"violations": {}}] * 2
    about = {"left_out": {"p outside its domain": 3}, "differs": ["task", "steps"]}
    study.append("warm_start", source="/runs/before", results=results, **about)
    assert (
        "2 results of /runs/before, used only by the sampler; 3 left out: p outside its domain; "
        "settings that differ: task, steps"
    ) in Balanced(render(study.read())).text
