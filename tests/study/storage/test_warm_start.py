"""Warm starts: which results of an earlier study are used and by what, and refused sources."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.optuna_file import OptunaJournal, open_storage
from study.engine.scheduling.search import OptunaSearcher
from study.errors import InputError
from study.spec import StudySpec, dump_spec
from study.storage.events import Report, StudyOpened, TrialCreated, WarmStart
from study.storage.folder import StudyFolder
from study.storage.ledger import StudyLedger
from study.storage.opening import open_folder
from study.storage.stored import StoredStudy
from study.storage.warm_start import earlier_results
from tests.study.ledgers import OpenLedger, ReadSpec

TPE = "search.sampler={name: tpe, n_startup_trials: 4}"
PARAMS = {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}


def planner(resolved: Any) -> tuple[int, int]:
    return resolved.training.steps, resolved.training.reports


def add(ledger: StudyLedger, state: str, values: list[float | None], **params: float) -> None:
    """Journals a trial that has ended, with one report per value."""
    number = len(ledger.record.trials)
    suggested = PARAMS | params
    settings = {k: v for k, v in suggested.items() if k != "bT_ratio"}
    ledger.append(TrialCreated(trial=number, params=suggested, settings=settings | {"bT": 3},
        seeds={"init": 0, "data": 0, "mask": 0}, total_steps=40, reports=4,
        optuna={"trial": {"cma:generation": 1}, "study": {}},
    ))  # fmt: skip
    for index, value in enumerate(values, start=1):
        metrics = {"dev_mcc": value, "train_loss": 0.5, "trainable_parameters": 100 * number}
        ledger.append(Report(trial=number, report=index, step=10 * index, metrics=metrics))
    ledger.end(ledger.record.trials[number], state, "")


@pytest.fixture
def before(tmp_path: Path, read_spec: ReadSpec) -> StudyLedger:
    """An earlier study with trials of every state."""
    spec = read_spec()
    ledger = StudyLedger(open_folder(tmp_path / "before", dump_spec(spec)), spec)
    ledger.append(StudyOpened(version=1, name="before", spec="spec.yaml"))
    add(ledger, "complete", [0.1, 0.5])
    add(ledger, "pruned", [0.2], b0=8)
    add(ledger, "failed", [0.9], p=0.2)
    add(ledger, "complete", [0.3], p=0.3)
    add(ledger, "complete", [0.3, None])
    return ledger


def take_over(ledger: StudyLedger, source: Path) -> WarmStart:
    """Journals the results of an earlier study in a new one."""
    earlier = earlier_results(StoredStudy.read(ledger.folder), source, ledger.spec)
    assert earlier is not None
    ledger.append(earlier)
    return earlier


def suggestions(ledger: StudyLedger, trials: int) -> list[dict[str, Any]]:
    """Runs trials one by one; returns their parameters."""
    searcher = OptunaSearcher(ledger, planner)
    params = []
    for _ in range(trials):
        number = len(ledger.record.trials)
        suggestion = searcher.suggest(f"ray-{number}")
        assert isinstance(suggestion, dict)
        assert suggestion["trial"] == number
        metrics = {"dev_mcc": number / 10, "train_loss": 0.5}
        ledger.append(Report(trial=number, report=1, step=10, metrics=metrics))
        ledger.end(ledger.record.trials[number], "complete", "")
        searcher.on_trial_complete(f"ray-{number}", {})
        params.append(suggestion["params"])
    return params


def test_complete_and_stopped_trials_of_the_earlier_study_precede_those_of_the_new_one(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger()
    take_over(ledger, before.folder.path)
    suggestions(ledger, 2)
    for searcher in (OptunaSearcher(ledger, planner), OptunaSearcher(open_ledger(), planner)):
        optuna_trials = searcher._study.trials
        assert [trial.state for trial in optuna_trials[:3]] == [
            TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE,
        ]  # fmt: skip
        assert [trial.value for trial in optuna_trials[:3]] == [0.5, None, 0.3]
        assert optuna_trials[0].intermediate_values == {10: 0.1, 20: 0.5}
        assert optuna_trials[1].params == PARAMS | {"b0": 8}
        assert optuna_trials[3].params == ledger.record.trials[0].params
        assert len(optuna_trials) == 5
        assert all(trial.state.is_finished() for trial in optuna_trials)


def test_earlier_results_affect_the_sampler_and_a_resume_does_not_read_the_earlier_study(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    for _ in range(4):
        add(before, "complete", [0.8], lr=2e-3)
    cold = suggestions(open_ledger(TPE), 3)
    open_ledger(TPE).journal.path.unlink()
    take_over(open_ledger(TPE), before.folder.path)
    ledger = open_ledger(TPE)
    warm = suggestions(ledger, 3)
    assert warm[0] != cold[0]
    events = ledger.journal.path.read_text().splitlines(keepends=True)
    ledger.journal.path.write_text("".join(events[:2]))
    shutil.rmtree(before.folder.path)
    assert suggestions(open_ledger(TPE), 1) + suggestions(open_ledger(TPE), 2) == warm


def test_nsgaii_uses_earlier_results_as_parents(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    genetic = "search.sampler={name: nsgaii, population_size: 2, mutation_prob: 0.0}"
    take_over(open_ledger(genetic), before.folder.path)
    params = suggestions(open_ledger(genetic), 3)
    assert {round(found["p"], 9) for found in params} <= {0.1, 0.3}
    assert {round(found["lr"], 9) for found in params} == {1e-3}


def test_earlier_results_are_in_no_table_or_rung_and_never_the_best_trial(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger()
    take_over(ledger, before.folder.path)
    assert (ledger.record.trials, ledger.best(), ledger.complete) == ({}, None, False)
    assert all(not recorded for _, recorded in AshaScheduler(ledger)._brackets[0]._rungs)
    OptunaJournal(ledger)
    [study] = open_storage(ledger.folder).get_all_studies()
    assert open_storage(ledger.folder).get_n_trials(study._study_id) == 0


def test_results_outside_the_space_are_left_out_and_counted(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger("adapter.p={type: float, low: 0.0, high: 0.2}", "adapter.b0=6")
    earlier = take_over(ledger, before.folder.path)
    assert [trial.trial for trial in earlier.results] == [0]
    assert earlier.results[0].params == {"bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}
    assert earlier.left_out == {
        "b0 is fixed here, at another value": 1,
        "p outside its domain": 1,
        "without a value of every objective": 1,
    }
    assert ledger.record.began_with == f"1 results of {before.folder.path} (3 more do not fit)"
    suggestions(ledger, 1)


def test_a_newly_searched_setting_has_the_value_that_was_fixed_before(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    searched = "adapter.beta1={type: float, low: 0.6, high: 0.9}"
    earlier = take_over(open_ledger(searched, "training.steps=80"), before.folder.path)
    assert earlier.results[0].params["beta1"] == 0.85
    assert earlier.differs == ["steps"]
    assert suggestions(open_ledger(searched, "training.steps=80"), 1)


def test_goals_are_those_of_the_present_study(
    before: StudyLedger, open_ledger: OpenLedger
) -> None:
    ledger = open_ledger(
        "objectives=[maximize dev_mcc, minimize trainable_parameters]",
        'constraints={trainable_parameters: "<= 200"}',
    )
    take_over(ledger, before.folder.path)
    optuna_trials = OptunaSearcher(ledger, planner)._study.trials
    assert [trial.values for trial in optuna_trials] == [[0.5, 0.0], None, [0.3, 300.0]]
    assert [trial.constraints["trainable_parameters"] for trial in optuna_trials] == [
        -1.0,
        -0.5,
        0.5,
    ]


def test_only_a_study_without_trials_takes_earlier_results(
    before: StudyLedger, open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger, source = open_ledger(), before.folder.path
    take_over(ledger, source)
    again = (source, ledger.spec)
    assert earlier_results(StoredStudy.read(ledger.folder), *again) is None
    suggestions(ledger, 1)
    assert earlier_results(StoredStudy.read(ledger.folder), *again) is None
    other = tmp_path / "other"
    with pytest.raises(InputError, match=f"began with {source}; leave the option out"):
        earlier_results(StoredStudy.read(ledger.folder), other, ledger.spec)
    with pytest.raises(
        InputError, match=r"before the first trial, but got .* which began without"
    ):
        earlier_results(StoredStudy.read(before.folder), other, before.spec)


def refusal(path: Path, source: Path, spec: StudySpec) -> str:
    with pytest.raises(InputError) as caught:
        earlier_results(StoredStudy.read(StudyFolder(path / "new")), source, spec)
    return str(caught.value)


def test_invalid_sources_of_earlier_results_are_refused(
    before: StudyLedger, read_spec: ReadSpec, tmp_path: Path
) -> None:
    source = before.folder.path
    assert refusal(tmp_path, tmp_path, read_spec()).startswith(
        f"--warm-start {tmp_path}: must be the folder of a study, with spec.yaml and events.jsonl"
    )
    assert "but got mcc there and loss here" in refusal(
        tmp_path, source, read_spec("search.metric=loss")
    )
    assert "but got random; choose one of tpe, gp, nsgaii" in refusal(
        tmp_path, source, read_spec("search.sampler={name: random}")
    )
    narrow = read_spec("adapter.p={type: float, low: 0.25, high: 0.29}")
    assert (
        "must have results in this space, but got none (3 trials: p outside its domain; 1 trials: "
        "without a value of every objective); widen the space"
    ) in refusal(tmp_path, source, narrow)


def test_a_path_that_is_too_long_is_refused_in_one_short_line(
    read_spec: ReadSpec, tmp_path: Path
) -> None:
    for name in ("/" + "a" * 300, "/" + "a" * 5000):
        assert refusal(tmp_path, Path(name), read_spec()) == (
            f"--warm-start /{'a' * 99}: must be the folder of a study, but got File name too "
            "long; give <storage>/<name> of one"
        )
