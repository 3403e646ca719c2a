"""Extended studies: permitted and refused changes, and parameters of earlier trials."""

from pathlib import Path
from typing import Any

import pytest

from study.engine import session
from study.engine.scheduling.search import OptunaSearcher
from study.errors import InputError
from study.spec import dump_spec, load_spec, resolve
from study.storage.events import EarlierTrial, StudyGrown, WarmStart
from study.storage.folder import StudyFolder
from study.storage.growth import (
    changes_of_study,
    contained,
    extended,
    grow,
    growth,
    with_trials_of,
)
from study.storage.ledger import StudyLedger
from study.storage.opening import check_folder, open_folder
from study.storage.stored import StoredStudy
from tests.study.ledgers import OpenLedger, ReadSpec, create, report

WIDE_P = "adapter.p={type: float, low: 0.0, high: 0.5}"
SEARCHED_BETA = "adapter.beta1={type: float, low: 0.5, high: 0.9}"
GRID = (
    "search.sampler={name: grid}",
    "adapter.b0={type: categorical, choices: [4, 6]}",
    "adapter.bT=2",
    "adapter.p={type: categorical, choices: [0.0, 0.1]}",
    "training.lr=1e-3",
)
SAMPLERS = {
    "tpe": "{name: tpe, n_startup_trials: 2}",
    "cmaes": "{name: cmaes, warn_independent_sampling: false}",
    "random": "{name: random}",
    "qmc": "{name: qmc, warn_independent_sampling: false}",
    "nsgaii": "{name: nsgaii, population_size: 2}",
}


def planner(resolved: Any) -> tuple[int, int]:
    return resolved.training.steps, resolved.training.reports


def run_to(ledger: StudyLedger, trials: int) -> list[dict[str, Any]]:
    """Runs trials one by one up to a number; returns the parameters of all trials."""
    searcher = OptunaSearcher(ledger, planner)
    for number in range(len(ledger.record.trials), trials):
        searcher.suggest(f"ray-{number}")
        report(ledger, number, 1, (number * 7 % 5) / 10)
        ledger.end(ledger.record.trials[number], "complete", "")
        searcher.on_trial_complete(f"ray-{number}", {})
    return [trial.params for trial in ledger.record.trials.values()]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.trials=9", "search.trials: 6 -> 9"),
        (
            WIDE_P,
            "adapter.p: {type: float, low: 0.0, high: 0.3} -> {type: float, low: 0.0, high: 0.5}",
        ),
        (SEARCHED_BETA, "adapter.beta1: 0.85 -> {type: float, low: 0.5, high: 0.9}"),
    ],
)
def test_more_trials_and_wider_domains_are_growth(
    read_spec: ReadSpec, override: str, message: str
) -> None:
    found = growth(read_spec(), read_spec(override))
    assert found.changes == [message]
    assert found.refused == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("adapter.p={type: float, low: 0.1, high: 0.3}", "does not contain the previous values"),
        ("adapter.p=0.1", "adapter.p: {type: float, low: 0.0, high: 0.3} -> 0.1"),
        ("adapter.deltaT=6", "adapter.deltaT: 5 -> 6"),
        ("adapter.bT=2", "a fixed bT and a ratio of b0 are not the same parameter"),
        ("training.steps=50", "training.steps: 40 -> 50"),
        ("search.seed=1", "search.seed: 0 -> 1"),
        ("search.sampler={name: random}", "search.sampler: "),
        ("scheduler.name=none", "scheduler.name: asha -> none"),
        ("seeds.mask=2", "seeds.mask: 0 -> 2"),
        ("constraints.peak_memory_gib='<= 16'", "constraints.peak_memory_gib: none -> <= 16"),
        (
            "objectives=[maximize dev_mcc, minimize trainable_parameters]",
            "objectives: [] -> [maximize dev_mcc, ",
        ),
        ("task.seed=1", "task.seed: 0 -> 1"),
        ("backbone.dtype=bfloat16", "backbone.dtype: float32 -> bfloat16"),
        ("training.group_by_length=true", "training.group_by_length: false -> true"),
    ],
)
def test_anything_else_is_refused_with_the_setting_and_both_values(
    read_spec: ReadSpec, override: str, message: str
) -> None:
    found = growth(read_spec(), read_spec(override))
    assert found.changes == []
    [refused] = found.refused
    assert message in refused


def test_another_method_is_refused(read_spec: ReadSpec) -> None:
    other = read_spec("adapter={method: lora}")
    refused = growth(read_spec(), other).refused
    assert "adapter.method: adalora_rs -> lora" in refused


def test_resources_are_not_compared(read_spec: ReadSpec) -> None:
    found = growth(read_spec(), read_spec("resources.max_concurrent=1"))
    assert (found.changes, found.refused) == ([], [])


def test_a_smaller_number_of_trials_changes_nothing(tmp_path: Path, read_spec: ReadSpec) -> None:
    before, now = read_spec(), read_spec("search.trials=2")
    assert with_trials_of(before, now) == before
    assert with_trials_of(now, before) == before
    folder = open_folder(tmp_path / "study", dump_spec(before))
    assert changes_of_study(now)(StoredStudy.read(folder)) == []


def test_a_grid_may_have_more_trials_but_no_wider_domains(read_spec: ReadSpec) -> None:
    before = read_spec(*GRID, "search.trials=2")
    wider = read_spec(
        *GRID, "search.trials=2", "adapter.b0={type: categorical, choices: [4, 6, 8]}"
    )
    [refused] = growth(before, wider).refused
    assert "the points of the grid sampler are those of the first domains" in refused
    assert growth(before, read_spec(*GRID, "search.trials=4")).changes == ["search.trials: 2 -> 4"]


def test_extending_adds_to_the_present_number_of_trials(read_spec: ReadSpec) -> None:
    assert extended(read_spec(), read_spec("search.trials=2"), 3).search.trials == 9


@pytest.mark.parametrize(
    ("overrides", "more", "message"),
    [
        ((), 0, "N >= 1 must hold, but got 0"),
        ((*GRID, "search.trials=3"), 2, "but got 4 points and 5 trials"),
        (
            ("adapter={method: linear_probe}", "training.lr=1e-3"),
            1,
            "must be a domain to search, but got a space with one",
        ),
    ],
)
def test_an_impossible_extension_is_refused(
    read_spec: ReadSpec, overrides: tuple[str, ...], more: int, message: str
) -> None:
    spec = read_spec(*overrides)
    with pytest.raises(InputError, match=message):
        extended(spec, spec, more)


def test_growth_is_in_the_journal_and_in_spec_yaml(open_ledger: OpenLedger) -> None:
    open_ledger()
    ledger = open_ledger("search.trials=9", WIDE_P)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    [event] = [e for e in ledger.journal.read() if isinstance(e, StudyGrown)]
    assert event.trials == 9
    assert event.changes[1] == "search.trials: 6 -> 9"
    assert event.space
    assert (
        load_spec(str(ledger.folder.spec)) == ledger.spec == StoredStudy.read(ledger.folder).spec
    )
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    assert sum(isinstance(e, StudyGrown) for e in ledger.journal.read()) == 1


def test_growth_that_is_in_the_journal_but_not_in_spec_yaml_counts(
    open_ledger: OpenLedger,
) -> None:
    before = open_ledger().folder.spec.read_text()
    ledger = open_ledger("search.trials=9", SEARCHED_BETA)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    ledger.folder.spec.write_text(before)
    assert StoredStudy.read(ledger.folder).spec == ledger.spec
    [refused] = changes_of_study(open_ledger().spec)(StoredStudy.read(ledger.folder))
    assert refused.startswith("adapter.beta1: {")


def test_earlier_trials_have_the_value_that_was_fixed_before(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    ledger = open_ledger(SEARCHED_BETA)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    trial = ledger.record.trials[0]
    assert trial.params["beta1"] == trial.settings["beta1"] == 0.85
    assert resolve(ledger.spec, trial.params).adapter.beta1 == 0.85
    assert open_ledger(SEARCHED_BETA).record == ledger.record
    searcher = OptunaSearcher(ledger, planner)
    assert searcher._study.trials[0].params == trial.params
    suggested = searcher.suggest("ray-0"), searcher.suggest("ray-1")
    assert [s["trial"] for s in suggested if isinstance(s, dict)] == [0, 1]
    assert set(ledger.record.trials[1].params) == set(trial.params)


@pytest.mark.parametrize(("differs", "known"), [([], [0.85]), (["beta1"], []), (["p"], [0.85])])
def test_earlier_results_are_used_for_a_newly_searched_leaf_only_if_their_value_is_known(
    open_ledger: OpenLedger, differs: list[str], known: list[float]
) -> None:
    params = {"b0": 6, "bT_ratio": 0.5, "p": 0.1, "lr": 1e-3}
    one = EarlierTrial(
        trial=0, params=params, state="complete", values=[0.5], steps=[[10, 0.5]], violations={}
    )
    ledger = open_ledger()
    ledger.append(WarmStart(source="a", results=[one], left_out={}, differs=differs))
    ledger = open_ledger(SEARCHED_BETA)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    searcher = OptunaSearcher(ledger, planner)
    assert [trial.params["beta1"] for trial in searcher._study.trials] == known
    suggestion = searcher.suggest("ray-0")
    assert isinstance(suggestion, dict)
    assert suggestion["trial"] == 0


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_extended_study_suggests_the_same_trials_as_a_longer_one(
    open_ledger: OpenLedger, sampler: str
) -> None:
    setting = f"search.sampler={SAMPLERS[sampler]}"
    ledger = open_ledger(setting, "search.trials=5")
    whole = run_to(ledger, 5)
    ledger.journal.path.unlink()
    run_to(open_ledger(setting, "search.trials=3"), 3)
    longer = open_ledger(setting, "search.trials=5")
    grow(longer, StoredStudy.read(longer.folder).spec)
    assert run_to(longer, 5) == whole


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_continues_in_a_wider_space(open_ledger: OpenLedger, sampler: str) -> None:
    setting = f"search.sampler={SAMPLERS[sampler]}"
    run_to(open_ledger(setting), 4)
    grown = (setting, "search.trials=8", WIDE_P, SEARCHED_BETA)
    ledger = open_ledger(*grown)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    run_to(ledger, 6)
    resumed = run_to(open_ledger(*grown), 8)
    assert all(params["beta1"] == 0.85 for params in resumed[:4])
    assert len({params["beta1"] for params in resumed[4:]} - {0.85}) > 1


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_added_points_are_tried_next(open_ledger: OpenLedger, sampler: str) -> None:
    setting = f"search.sampler={SAMPLERS[sampler]}"
    run_to(open_ledger(setting, "points=[{p: 0.01}]"), 3)
    more = (setting, "search.trials=8", "points=[{p: 0.01}, {p: 0.02}, {p: 0.03}]")
    ledger = open_ledger(*more)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    [event] = [e for e in ledger.journal.read() if isinstance(e, StudyGrown)]
    assert "points: 1 -> 3" in event.changes
    run_to(ledger, 4)
    params = run_to(open_ledger(*more), 6)
    assert [p["p"] for p in params if p["p"] in (0.01, 0.02, 0.03)] == [0.01, 0.02, 0.03]
    assert [params[number]["p"] for number in (0, 3, 4)] == [0.01, 0.02, 0.03]


def test_points_may_not_be_changed_or_removed(read_spec: ReadSpec) -> None:
    before = read_spec("points=[{p: 0.01}, {p: 0.02}]")
    for points in ("[{p: 0.01}]", "[{p: 0.02}, {p: 0.01}]", "[{p: 0.01}, {p: 0.03}]"):
        [refused] = growth(before, read_spec(f"points={points}")).refused
        assert refused.startswith("points: ")


def test_new_values_of_a_wider_space_are_suggested(open_ledger: OpenLedger) -> None:
    run_to(open_ledger("search.sampler={name: random}"), 3)
    ledger = open_ledger("search.sampler={name: random}", "search.trials=20", WIDE_P)
    grow(ledger, StoredStudy.read(ledger.folder).spec)
    params = run_to(ledger, 20)
    assert all(p["p"] <= 0.3 for p in params[:3])
    assert any(p["p"] > 0.3 for p in params[3:])


def test_a_folder_in_which_another_study_has_started_in_the_meantime_is_refused(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    folder = StudyFolder(tmp_path / "study")
    assert contained(StoredStudy.read(folder), read_spec()) == read_spec()
    open_folder(folder.path, dump_spec(read_spec("adapter.p=0.2")))
    with pytest.raises(InputError, match=r"differs in: adapter\.p"):
        contained(StoredStudy.read(folder), read_spec("adapter.p=0.1"))
    assert (
        contained(
            StoredStudy.read(folder), read_spec("adapter.p=0.2", "search.trials=2")
        ).search.trials
        == 6
    )


def test_a_study_killed_before_its_first_event_resumes_with_a_changed_spec(
    tmp_path: Path, read_spec: ReadSpec
) -> None:
    folder = open_folder(tmp_path / "study", dump_spec(read_spec()))
    now = read_spec("search.trials=9")
    check_folder(folder.path, changes_of_study(now), resume=True)
    stored = StoredStudy.read(folder)
    opened = session._open_ledger(stored, contained(stored, now), {"data": "a"}, None)
    assert [event.event for event in opened.journal.read()] == ["study"]
    assert StoredStudy.read(folder).spec == now
