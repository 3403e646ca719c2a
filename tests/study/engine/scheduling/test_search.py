"""Optuna behind Ray's Searcher: suggestions, results, and the same suggestions after a resume."""

import pickle
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from study.engine.scheduling.optuna_study import frozen_trial
from study.engine.scheduling.search import OptunaSearcher
from study.spec.space import distributions
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create, report

GRID = (
    "search.sampler={name: grid}",
    "adapter.b0={type: categorical, choices: [4, 6]}",
    "adapter.bT=2",
    "adapter.p={type: categorical, choices: [0.0, 0.1]}",
    "training.lr=1e-3",
)
SAMPLERS = {
    "tpe": ("search.sampler={name: tpe, n_startup_trials: 2}",),
    "gp": ("search.sampler={name: gp, n_startup_trials: 2}",),
    "cmaes": ("search.sampler={name: cmaes, warn_independent_sampling: false}",),
    "random": ("search.sampler={name: random}",),
    "qmc": ("search.sampler={name: qmc, warn_independent_sampling: false}",),
    "nsgaii": ("search.sampler={name: nsgaii, population_size: 2}",),
    "grid": GRID,
}


def planner(resolved: Any) -> tuple[int, int]:
    return resolved.training.steps, resolved.training.reports


def ask(searcher: OptunaSearcher, name: str) -> Any:
    """Returns a suggestion without the time at which it was made."""
    suggestion = searcher.suggest(name)
    if isinstance(suggestion, dict):
        assert suggestion.pop("assigned") > 0
    return suggestion


def finish(ledger: StudyLedger, searcher: OptunaSearcher, name: str, value: float) -> None:
    """Ends the trial that Ray knows as `name` after one report."""
    number = searcher._numbers[name]
    report(ledger, number, 1, value)
    ledger.end(ledger.record.trials[number], "complete", "")
    searcher.on_trial_complete(name, {})


def run_one_by_one(ledger: StudyLedger, trials: int, start: int = 0) -> list[Any]:
    """Runs trials to their end; returns the searcher's suggestions."""
    searcher = OptunaSearcher(ledger, planner)
    suggestions = []
    for index in range(start, trials):
        suggestion = ask(searcher, f"ray-{index}")
        suggestions.append(suggestion)
        if suggestion == "FINISHED":
            break
        finish(ledger, searcher, f"ray-{index}", (index * 7 % 5) / 10)
    return suggestions


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_study_has_the_suggestions_of_an_uninterrupted_one(
    open_ledger: OpenLedger, tmp_path_factory: pytest.TempPathFactory, sampler: str
) -> None:
    ledger = open_ledger(*SAMPLERS[sampler])
    whole = run_one_by_one(ledger, 4)
    ledger.journal.path.unlink()
    resumed = run_one_by_one(open_ledger(*SAMPLERS[sampler]), 2)
    resumed += run_one_by_one(open_ledger(*SAMPLERS[sampler]), 4, start=2)
    assert resumed == whole
    assert len({str(suggestion["params"]) for suggestion in whole}) == 4


def test_the_grid_ends_when_every_point_was_tried_once(open_ledger: OpenLedger) -> None:
    suggestions = run_one_by_one(open_ledger(*GRID, "search.trials=9"), 9)
    points = {(s["params"]["b0"], s["params"]["p"]) for s in suggestions[:-1]}
    assert points == {(4, 0.0), (4, 0.1), (6, 0.0), (6, 0.1)}
    assert suggestions[-1] == "FINISHED"


def test_the_study_ends_after_the_requested_number_of_trials(open_ledger: OpenLedger) -> None:
    suggestions = run_one_by_one(open_ledger("search.trials=2"), 5)
    assert [s == "FINISHED" for s in suggestions] == [False, False, True]


def test_another_study_seed_gives_other_suggestions(open_ledger: OpenLedger) -> None:
    first = run_one_by_one(open_ledger(), 1)
    ledger = open_ledger()
    ledger.journal.path.unlink()
    assert run_one_by_one(open_ledger("search.seed=1"), 1) != first


def test_suggestions_are_journalled_with_the_resolved_settings(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    suggestion = ask(OptunaSearcher(ledger, planner), "ray-0")
    trial = ledger.record.trials[0]
    assert suggestion == {
        "trial": 0, "params": trial.params, "seeds": trial.seeds, "reports": 0,
    }  # fmt: skip
    assert trial.settings["bT"] == max(1, round(trial.params["bT_ratio"] * trial.params["b0"]))
    assert set(trial.settings) == {"b0", "bT", "p", "lr"}
    assert (trial.total_steps, trial.reports_planned) == (40, 4)


POINTS = "points=[{b0: 8, bT: 6, p: 0.1}, {b0: 4, bT_ratio: 0.5, p: 0.0, lr: 0.001}]"


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"grid"}))
def test_points_are_tried_first_and_their_missing_parameters_are_sampled(
    open_ledger: OpenLedger, sampler: str
) -> None:
    first, second, *others = run_one_by_one(open_ledger(*SAMPLERS[sampler], POINTS), 4)
    rate = first["params"].pop("lr")
    assert first["params"] == {"b0": 8, "bT_ratio": 0.75, "p": 0.1}
    assert 1e-4 <= rate <= 1e-2
    assert second["params"] == {"b0": 4, "bT_ratio": 0.5, "p": 0.0, "lr": 0.001}
    assert len({str(suggestion["params"]) for suggestion in others}) == 2


def test_points_are_tried_first_after_a_resume(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(POINTS)
    whole = run_one_by_one(ledger, 4)
    ledger.journal.path.unlink()
    resumed = run_one_by_one(open_ledger(POINTS), 1) + run_one_by_one(open_ledger(POINTS), 4, 1)
    assert resumed == whole


def test_a_repeated_configuration_gets_new_seeds(open_ledger: OpenLedger) -> None:
    again = "{b0: 8, bT: 6, p: 0.1, lr: 0.001}"
    points = f"points=[{again}, {again}, {{b0: 8, bT: 6, p: 0.2, lr: 0.001}}, {again}]"
    ledger = open_ledger(points, "seeds={init: 5, data: 0, mask: 4294967295}")
    suggestions = run_one_by_one(ledger, 4)
    assert [s["seeds"] for s in suggestions] == [
        {"init": 5, "data": 0, "mask": 4294967295},
        {"init": 6, "data": 1, "mask": 0},
        {"init": 5, "data": 0, "mask": 4294967295},
        {"init": 7, "data": 2, "mask": 1},
    ]
    assert [t.seeds for t in ledger.record.trials.values()] == [s["seeds"] for s in suggestions]


def test_parameters_with_the_same_settings_are_replicates(open_ledger: OpenLedger) -> None:
    """Two ratios that give the same whole number of triplets are one configuration."""
    other = "points=[{b0: 4, bT_ratio: 0.5, p: 0.1, lr: 0.001}, {b0: 4, bT_ratio: 0.51, p: 0.1, "
    suggestions = run_one_by_one(open_ledger(other + "lr: 0.001}]"), 2)
    assert [s["seeds"]["init"] for s in suggestions] == [0, 1]
    assert suggestions[0]["params"] != suggestions[1]["params"]


def test_mask_intervals_with_the_same_number_of_steps_are_replicates(
    open_ledger: OpenLedger,
) -> None:
    """T is 30: fractions of 0.16 and 0.17 are both 5 steps, 0.2 is 6; after a resume as well."""
    same = "b0: 4, bT_ratio: 0.5, p: 0.1, lr: 0.001"
    points = ", ".join(f"{{{same}, deltaT: {share}}}" for share in (0.16, 0.17, 0.2, 0.165))
    spec = ("adapter.deltaT={type: float, low: 0.1, high: 0.3}", f"points=[{points}]")
    suggestions = run_one_by_one(open_ledger(*spec), 3)
    suggestions += run_one_by_one(open_ledger(*spec), 1)
    assert [s["seeds"]["init"] for s in suggestions] == [0, 1, 0, 2]


def test_unfinished_trials_are_suggested_before_new_ones(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for number in range(3):
        create(ledger, number)
    ledger.end(ledger.record.trials[1], "pruned", "")
    searcher = OptunaSearcher(open_ledger(), planner)
    assert [ask(searcher, f"ray-{i}")["trial"] for i in range(4)] == [0, 2, 3, 4]


def test_optuna_gets_every_value_and_the_state(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    searcher = OptunaSearcher(ledger, planner)
    for index, (state, values) in enumerate(
        [("complete", [0.1, 0.2]), ("pruned", [0.3]), ("failed", [0.4, None]), ("failed", [])]
    ):
        ask(searcher, f"ray-{index}")
        for k, value in enumerate(values, start=1):
            report(ledger, index, k, value)
        ledger.end(ledger.record.trials[index], state, "why")
        searcher.on_trial_complete(f"ray-{index}", None, error=index == 3)
    optuna_trials = searcher._study.trials
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    assert [trial.state for trial in optuna_trials] == states
    assert [trial.intermediate_values for trial in optuna_trials] == [
        {10: 0.1, 20: 0.2},
        {10: 0.3},
        {10: 0.4},
        {},
    ]
    assert optuna_trials[0].value == 0.2


def test_an_interrupted_trial_is_unfinished(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    searcher = OptunaSearcher(ledger, planner)
    ask(searcher, "ray-0")
    searcher.on_trial_complete("ray-0", {})
    assert ledger.record.trials[0].state == "running"
    assert searcher._study.trials[0].state == TrialState.RUNNING


def test_a_searcher_can_be_pickled(open_ledger: OpenLedger) -> None:
    searcher = OptunaSearcher(open_ledger(), planner)
    ask(searcher, "ray-0")
    copy = pickle.loads(pickle.dumps(searcher))
    assert copy.ledger.record == searcher.ledger.record


def test_a_trial_in_optuna_has_its_reason_and_settings(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    ledger.end(ledger.record.trials[0], "failed", "diverged")
    frozen = frozen_trial(ledger.record.trials[0], distributions(ledger.spec), ledger.goals)
    assert frozen.user_attrs["reason"] == "diverged"
    assert frozen.user_attrs["bT"] == 3
    assert (frozen.user_attrs["trial"], frozen.user_attrs["seed_mask"]) == (0, 0)


def test_points_added_to_a_study_are_tried_next(open_ledger: OpenLedger) -> None:
    run_one_by_one(open_ledger("points=[{p: 0.1}]"), 3)
    ledger = open_ledger("points=[{p: 0.1}, {p: 0.2}]")
    later = run_one_by_one(ledger, 5, start=3)
    assert later[0]["params"]["p"] == 0.2
    assert later[1]["params"]["p"] != 0.2
    assert [trial.point for trial in ledger.record.trials.values()] == [0, None, None, 1, None]


def test_reports_before_a_resume_reach_optuna_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ask(OptunaSearcher(ledger, planner), "ray-0")
    report(ledger, 0, 1, 0.25)
    resumed = OptunaSearcher(ledger, planner)
    ask(resumed, "ray-again")
    report(ledger, 0, 2, 0.5)
    ledger.end(ledger.record.trials[0], "complete", "")
    resumed.on_trial_complete("ray-again", {})  # Optuna warns of a step that is reported twice.
    assert resumed._study.trials[0].intermediate_values == {10: 0.25, 20: 0.5}


def test_telling_and_asking_copies_no_other_trial(
    open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []
    whole = optuna.storages.InMemoryStorage.get_all_trials

    def get_all_trials(self: Any, study_id: int, deepcopy: bool = True, states: Any = None) -> Any:
        copied.append(deepcopy)
        return whole(self, study_id, deepcopy=deepcopy, states=states)

    monkeypatch.setattr(optuna.storages.InMemoryStorage, "get_all_trials", get_all_trials)
    run_one_by_one(open_ledger(*SAMPLERS["tpe"]), 5)
    assert copied
    assert not any(copied)
