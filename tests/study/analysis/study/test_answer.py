import json
from dataclasses import replace
from pathlib import Path

from study.analysis.study.answer import answer, cost, settings_yaml
from study.analysis.study.certainty import certainty, domains
from study.analysis.study.page import render
from study.storage.result import Light
from tests.study.analysis.study.made_studies import PARAMS, SPEC, MadeStudy


def raced(study: MadeStudy) -> MadeStudy:
    """A study of two complete trials, whose race confirmed trial 0 with three seeds."""
    study.run(0, [0.5] * 8, {"p": 0.0, "b0": 6, "bT_ratio": 0.5, "lr": 1e-3})
    study.run(1, [0.6] * 8, {"p": 0.3, "b0": 14, "bT_ratio": 1.0, "lr": 2e-3})
    seeds = [{"init": n, "data": n, "mask": n} for n in range(1002, 1005)]
    race = {
        "candidates": [
            {"trial": 1, "search": 0.6, "fresh": [0.4]},
            {"trial": 0, "search": 0.5, "fresh": [0.5, 0.44, 0.46, 0.48]},
        ],
        "rounds": [[1, 0]],
        "seeds": seeds,
        "failed": 0,
        "dev": {"dev_mcc": [0.44, 0.46, 0.48], "dev_auc": [0.7, 0.7, 0.7]},
        "test": {"test_mcc": [0.42, 0.45, 0.48], "test_auc": [0.7, 0.7, 0.7]},
    }
    study.folder.best.mkdir()
    dev, test = {"dev_mcc": 0.5, "dev_auc": 0.75}, {"test_mcc": 0.61, "test_auc": 0.7}
    study.append("winner", trial=0, dev=dev, test=test, race=race)
    return study


def test_the_score_of_a_raced_winner_is_that_of_its_confirming_seeds(study: MadeStudy) -> None:
    found = answer(raced(study).read())
    assert found is not None
    assert "confirmed with 3 fresh seeds that did not choose it" in found.how
    test, dev = found.scores
    assert (test.split, test.value, dev.value) == ("test", "0.450", "0.460")
    assert test.seeds == (
        "0.375 to 0.525: 95 % interval over 3 seeds on these rows of test; none collapsed, a rate "
        "of 0% to 71% (95 %)"
    )
    assert found.metrics[0][:3] == (
        "MCC",
        "0.4600 (0.4103 to 0.5097)",
        "0.4500 (0.3755 to 0.5245)",
    )
    assert found.metrics[0][3:] == ("0.5000", "0.6100")


def test_the_score_is_held_against_the_baselines(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "made")
    floors = {"majority": {"dev_mcc": 0.0, "test_mcc": 0.0}, "kmer": {"test_mcc": 0.5}}
    event = {"event": "study", "time": 1.0, "name": "made", "baselines": floors}
    made.folder.journal.write_text(json.dumps(event) + "\n")
    found = answer(raced(made).read())
    assert found is not None
    test, dev = found.scores
    assert (
        test.beside == "0.450 better than majority class (0.000), 0.050 worse than 5-mers (0.500)"
    )
    assert dev.beside == "0.460 better than majority class (0.000)"
    assert [mark.text for mark in test.marks if mark.kind == "baseline"][1] == "5-mers: 0.500"


def test_a_bad_light_takes_the_recommendation_away(study: MadeStudy) -> None:
    data = raced(study).read()
    lights = (Light("failures", "bad", "Half failed."), Light("mask", "ok", "It moves triplets."))
    sick = replace(data, result=replace(data.result, health=lights))
    page = render(sick)
    assert "The best trial, but something is wrong" in page
    assert '<li class="bad"><b>problem</b> <span>Half failed.</span></li>' in page
    assert "1 check passed" in page


def test_the_search_score_is_on_the_axis_of_dev_alone(study: MadeStudy) -> None:
    found = answer(raced(study).read())
    assert found is not None
    kinds = [[mark.kind for mark in score.marks] for score in found.scores]
    assert ["search" in kind for kind in kinds] == [False, True]
    for score in found.scores:
        assert all(0 <= mark.left <= 100 and mark.left + mark.width <= 100 for mark in score.marks)


def test_settings_are_lines_of_a_space(study: MadeStudy) -> None:
    found = answer(raced(study).read())
    assert found is not None
    assert found.settings == "adapter:\n  p: 0\n  b0: 6\n  bT: 3\ntraining:\n  lr: 0.001"


def test_a_value_at_the_end_of_its_domain_is_marked(study: MadeStudy) -> None:
    settings = {one.name: one for one in certainty(raced(study).read())}
    assert settings["p"].edge
    assert settings["b0"].edge
    assert not settings["lr"].edge
    assert settings["lr"].nuisance
    assert settings["bT"].value == "3"


def test_the_axis_of_a_ratio_is_that_of_the_values_tried(study: MadeStudy) -> None:
    axes = domains(raced(study).read())
    assert axes["bT"] == {
        "nuisance": False,
        "low": 3,
        "high": 14,
        "log": False,
        "ratio": "bT_ratio",
    }
    assert axes["lr"]["log"]


def test_choices_keep_their_types(tmp_path: Path) -> None:
    domain = "p: {type: float, low: 0.0, high: 0.3}"
    spec = SPEC.replace(domain, "p: {type: categorical, choices: [0.0, 0.1]}")
    made = MadeStudy(tmp_path / "made", spec)
    made.run(0, [0.5] * 8, PARAMS | {"p": 0.0})
    assert domains(made.read())["p"]["choices"] == [0.0, 0.1]
    assert not next(one for one in certainty(made.read()) if one.name == "p").edge


def test_the_cost_counts_trials_and_steps(study: MadeStudy) -> None:
    assert cost(raced(study).read()).startswith("2 trials")
    assert "160 steps" in cost(study.read())


def test_a_study_without_a_complete_trial_has_no_answer(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "made")
    assert answer(made.read()) is None
    assert certainty(made.read()) == []


def test_the_settings_are_given_in_their_sections(study: MadeStudy) -> None:
    chosen = {"p": 0.1, "lr": 1e-3, "pooling": "mean", "bT_ratio": 0.5}
    assert settings_yaml(study.read(), chosen).split("\n") == [
        "adapter:",
        "  p: 0.1",
        "  bT_ratio: 0.5",
        "training:",
        "  lr: 0.001",
        "backbone:",
        "  pooling: mean",
    ]
