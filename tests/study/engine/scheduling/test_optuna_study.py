"""The trials of a study in Optuna: states, values, constraints, in memory and in the file."""

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from study.engine.scheduling.optuna_file import OptunaJournal, open_storage
from study.engine.scheduling.optuna_study import rebuild_study
from study.engine.scheduling.search import OptunaSearcher
from study.spec.space import distributions
from study.storage.events import Report
from study.storage.ledger import StudyLedger
from study.storage.record import CRASHED, OUT_OF_MEMORY
from tests.study.ledgers import OpenLedger, create

BOUNDS = 'constraints={kept_parameters: "<= 100", peak_memory_gib: "<= 4"}'
TWO = "objectives=[maximize dev_mcc, minimize trainable_parameters]"
NO_MEMORY = f"{OUT_OF_MEMORY}: 3 GiB more were asked for than there are"


def planner(resolved: Any) -> tuple[int, int]:
    return resolved.training.steps, resolved.training.reports


def run(
    ledger: StudyLedger,
    searcher: OptunaSearcher,
    metrics: dict[str, Any] | None,
    state: str = "complete",
    reason: str = "",
) -> dict[str, Any]:
    """Asks for a trial and ends it, after one report if there are metrics; returns its params."""
    number = len(ledger.record.trials)
    suggestion = searcher.suggest(f"ray-{number}")
    assert isinstance(suggestion, dict)
    if metrics is not None:
        message = {"train_loss": 0.5, **metrics}
        ledger.append(Report(trial=number, report=1, step=10, metrics=message))
    ledger.end(ledger.record.trials[number], state, reason)
    searcher.on_trial_complete(f"ray-{number}", {})
    return dict(suggestion["params"])


def mirrored(ledger: StudyLedger) -> optuna.Study:
    """The study in optuna.journal, written again."""
    OptunaJournal(ledger)
    storage = open_storage(ledger.folder)
    return optuna.load_study(study_name=ledger.folder.path.name, storage=storage)


def states_in_optuna(
    searcher: OptunaSearcher,
) -> list[tuple[TrialState, list[float] | None, dict[str, float]]]:
    return [(t.state, t.values, t.constraints) for t in searcher._study.trials]


def test_optuna_gets_violations_relative_to_the_bounds(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(BOUNDS)
    searcher = OptunaSearcher(ledger, planner)
    run(ledger, searcher, {"dev_mcc": 0.5, "kept_parameters": 50, "peak_memory_gib": 5})
    run(ledger, searcher, {"dev_mcc": 0.4, "kept_parameters": 200, "peak_memory_gib": 2}, "pruned")
    run(ledger, searcher, {"dev_mcc": None, "kept_parameters": 50}, "failed", "diverged")
    expected = [
        (TrialState.COMPLETE, [0.5], {"kept_parameters": -0.5, "peak_memory_gib": 0.25}),
        # The number kept at the end is unknown.
        (TrialState.PRUNED, [0.4], {"peak_memory_gib": -0.5}),
        (TrialState.FAIL, None, {}),
    ]
    assert states_in_optuna(searcher) == expected
    assert states_in_optuna(OptunaSearcher(open_ledger(BOUNDS), planner)) == expected
    assert [(t.state, t.values, t.constraints) for t in mirrored(ledger).trials] == expected


def test_a_trial_out_of_memory_is_infeasible_for_the_sampler_and_fails_in_the_file(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    searcher = OptunaSearcher(ledger, planner)
    run(ledger, searcher, {"dev_mcc": 0.5}, "failed", NO_MEMORY)
    run(ledger, searcher, None, "failed", NO_MEMORY)
    broken = {"peak_memory_gib": 1.0}
    assert states_in_optuna(searcher) == [
        (TrialState.PRUNED, [0.5], broken),
        (TrialState.PRUNED, None, broken),
    ]
    assert states_in_optuna(OptunaSearcher(open_ledger(), planner)) == states_in_optuna(searcher)
    found = [(t.state, t.constraints) for t in mirrored(ledger).trials]
    assert found == [(TrialState.FAIL, broken)] * 2
    assert {trial.state for trial in ledger.record.trials.values()} == {"failed"}


def test_tpe_avoids_configurations_that_ran_out_of_memory(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("search.trials=60", "search.sampler={name: tpe, n_startup_trials: 10}")
    searcher = OptunaSearcher(ledger, planner)
    hit = []
    for _ in range(60):
        b0 = ledger_next(ledger, searcher)
        hit.append(b0 > 5)
    # Three of the five values of b0 need too much; by chance 60 % of the trials would, and a
    # sampler that got only FAIL would suggest them ever more often.
    assert sum(hit[:10]) >= 4
    assert sum(hit[30:]) <= 6


def ledger_next(ledger: StudyLedger, searcher: OptunaSearcher) -> int:
    """Runs a trial, which is out of memory if b0 > 5; returns its b0.

    The larger b0, the better the score would be, so only memory favours a small one.
    """
    number = len(ledger.record.trials)
    suggestion = searcher.suggest(f"ray-{number}")
    assert isinstance(suggestion, dict)
    b0 = int(suggestion["params"]["b0"])
    trial = ledger.record.trials[number]
    if b0 > 5:
        ledger.end(trial, "failed", NO_MEMORY)
    else:
        metrics = {"dev_mcc": b0 / 10, "train_loss": 0.5}
        ledger.append(Report(trial=number, report=1, step=10, metrics=metrics))
        ledger.end(trial, "complete", "")
    searcher.on_trial_complete(f"ray-{number}", {})
    return b0


def test_trials_with_several_objectives_have_no_intermediate_values_in_optuna(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger(TWO)
    searcher = OptunaSearcher(ledger, planner)
    run(ledger, searcher, {"dev_mcc": 0.5, "trainable_parameters": 70})
    run(ledger, searcher, {"dev_mcc": 0.4, "trainable_parameters": 50}, "pruned")
    run(ledger, searcher, {"dev_mcc": 0.4, "trainable_parameters": None})
    study = searcher._study
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert states_in_optuna(searcher) == [
        (TrialState.COMPLETE, [0.5, 70.0], {}),
        (TrialState.PRUNED, None, {}),
        (TrialState.FAIL, None, {}),
    ]
    assert [t.intermediate_values for t in study.trials] == [{}, {}, {}]
    assert states_in_optuna(OptunaSearcher(open_ledger(TWO), planner)) == states_in_optuna(
        searcher
    )
    assert mirrored(ledger).best_trials[0].values == [0.5, 70.0]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("sampler", "constraints"),
    [("tpe", "constraints={}"), ("tpe", BOUNDS), ("gp", BOUNDS), ("nsgaii", BOUNDS),
     ("random", BOUNDS)],
)  # fmt: skip
def test_samplers_work_with_several_objectives_and_stopped_trials(
    open_ledger: OpenLedger, sampler: str, constraints: str
) -> None:
    small = {"tpe": ", n_startup_trials: 3", "gp": ", n_startup_trials: 4"}.get(sampler, "")
    small = ", population_size: 2" if sampler == "nsgaii" else small
    ledger = open_ledger(TWO, constraints, f"search.sampler={{name: {sampler}{small}}}")
    searcher = OptunaSearcher(ledger, planner)
    seen = []
    for number in range(6):
        metrics = {
            "dev_mcc": number / 10,
            "trainable_parameters": 10 * number,
            "kept_parameters": 60 * number,
            "peak_memory_gib": number,
        }
        seen.append(run(ledger, searcher, metrics, "pruned" if number % 3 == 2 else "complete"))
    assert len({str(params) for params in seen}) == 6


@pytest.mark.parametrize("objectives", ["objectives=[]", TWO])
def test_no_trial_is_running_in_optuna_after_the_study(
    open_ledger: OpenLedger, objectives: str
) -> None:
    ledger = open_ledger(objectives, "search.trials=5")
    searcher = OptunaSearcher(ledger, planner)
    whole = {"dev_mcc": 0.5, "trainable_parameters": 10}
    run(ledger, searcher, whole)
    run(ledger, searcher, whole, "pruned")
    run(ledger, searcher, {"dev_mcc": None}, "failed", "diverged: the loss is not finite")
    run(ledger, searcher, None, "failed", NO_MEMORY)
    run(ledger, searcher, None, "failed", f"{CRASHED}: a bug")
    assert searcher.suggest("over") == "FINISHED"
    for study in (searcher._study, mirrored(ledger), OptunaSearcher(ledger, planner)._study):
        states = [trial.state for trial in study.trials]
        assert len(states) == 5
        assert all(state.is_finished() for state in states)


def test_the_searchers_study_is_the_same_after_a_resume(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(BOUNDS)
    searcher = OptunaSearcher(ledger, planner)
    run(ledger, searcher, {"dev_mcc": 0.5, "kept_parameters": 50, "peak_memory_gib": 5})
    create(ledger, 1)
    again = OptunaSearcher(open_ledger(BOUNDS), planner)._study.trials
    assert [t.state for t in again] == [TrialState.COMPLETE, TrialState.RUNNING]
    assert again[0].distributions == distributions(ledger.spec)


def test_optuna_logs_no_line_of_its_own_about_a_study(
    open_ledger: OpenLedger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = open_ledger()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        OptunaJournal(ledger)
        rebuild_study(ledger.record, distributions(ledger.spec), ledger.goals)
    finally:
        optuna.logging.disable_propagation()
    assert "A new study created" not in caplog.text
