"""Tables of recorded curves, and studies simulated on them."""

import math
from pathlib import Path

import numpy as np
import pytest

from study.spec import StudySpec, dump_spec
from study.spec.rungs import first_rung
from study.storage.events import Report, StudyOpened, TrialCreated, TrialEnded
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from tests.benchmarks.bench_search import SCHEDULERS, WORKERS, median, print_table
from tests.benchmarks.bench_stopping import feed, print_rungs
from tests.benchmarks.curve_tables import TASKS, CurveTable, read_table, recorded_tables
from tests.benchmarks.record_curves import record_curves
from tests.benchmarks.simulator import simulate, simulated_spec

LR = {"type": "float", "low": 1e-3, "high": 1e-1, "log": True}
P = {"type": "float", "low": 0.0, "high": 0.4}
RANDOM = {"name": "random"}


def made_table(configurations: int = 30, noise: float = 0.0) -> CurveTable:
    """Curves that rise to a final score with its peak at lr = 0.01, p = 0; 10 s a report."""
    draw = np.random.default_rng(0)
    params = [
        {"p": float(p), "lr": float(lr)}
        for p, lr in zip(
            draw.uniform(0, 0.4, configurations),
            10 ** draw.uniform(-3, -1, configurations),
            strict=True,
        )
    ]
    final = np.array([1 - abs(math.log10(x["lr"]) + 2) - x["p"] for x in params])
    plain = np.outer(final, [0.4, 0.6, 0.8, 1.0])
    plain[:, :-1] += noise * draw.normal(size=(configurations, 3))
    values = {
        "adapter": {"method": "adalora_rs", "p": P},
        "training": {"lr": LR, "reports": 4, "steps": 400},
    }
    seconds = np.tile([10.0, 20.0, 30.0, 40.0], (configurations, 1))
    spec = StudySpec.model_validate(values)
    return CurveTable(spec, params, plain, plain, seconds, [100, 200, 300, 400])


def made_study(folder: Path, table: CurveTable) -> StudyFolder:
    """A journal in which the table's configurations ended, and one more did not."""
    study = StudyFolder(folder)
    study.path.mkdir()
    study.spec.write_text(dump_spec(table.spec))
    journal = Journal(study.journal)
    journal.append(StudyOpened(version=1, name=folder.name, spec="spec.yaml"))
    for trial, params in enumerate([*table.params, table.params[0]]):
        journal.append(
            TrialCreated(
                trial=trial,
                params=params,
                settings=params,
                seeds={},
                total_steps=400,
                reports=4,
                optuna={},
            )
        )
        if trial == len(table.params):
            break
        for report, step in enumerate(table.steps, start=1):
            metrics = {
                "dev_mcc": table.plain[trial, report - 1],
                "dev_mcc_at_bT": table.at_bT[trial, report - 1],
                "train_seconds": table.seconds[trial, report - 1],
            }
            journal.append(Report(trial=trial, report=report, step=step, metrics=metrics))
        journal.append(TrialEnded(trial=trial, state="complete", reason="", value=0.0))
    return study


def test_a_recorded_study_gives_back_the_table_it_was_made_from(tmp_path: Path) -> None:
    made = made_table(5, noise=0.1)
    record_curves(made_study(tmp_path / "study", made), tmp_path / "curves.csv")
    read = read_table(tmp_path / "curves.csv")
    assert len(read.params) == 5, "the trial that did not end is left out"
    for ours, theirs in zip(read.params, made.params, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    for name in ("plain", "at_bT", "seconds"):
        assert getattr(read, name) == pytest.approx(getattr(made, name), abs=1e-6), name
    assert read.steps == made.steps
    assert read.spec == made.spec


def test_the_nearest_configuration_is_found_on_the_scales_of_the_domains() -> None:
    table = made_table()
    for number, params in enumerate(table.params):
        assert table.nearest({**params, "lr": params["lr"] * 1.001}) == number
    corners = CurveTable(
        table.spec, [{"p": 0.0, "lr": 1e-3}, {"p": 0.0, "lr": 1e-1}], *[np.zeros((2, 4))] * 3, []
    )
    assert corners.nearest({"p": 0.0, "lr": 0.009}) == 0
    assert corners.nearest({"p": 0.0, "lr": 0.011}) == 1


def test_without_stopping_each_worker_trains_one_trial_after_the_other() -> None:
    table = made_table()
    spec = simulated_spec(table, RANDOM, SCHEDULERS["none"], seed=0)
    found = simulate(table, spec, workers=3, seconds=90.0)
    assert [time for time, _ in found.finishes] == [40.0] * 3 + [80.0] * 3
    assert (found.suggested, found.stopped) == (9, 0)
    best = max(score for _, score in found.finishes)
    assert found.best_at(90.0) == best
    assert np.isnan(found.best_at(39.0))
    assert found.reaches(best) in (40.0, 80.0)
    assert found.reaches(best + 0.01) == math.inf


def test_early_stopping_tries_more_configurations_in_the_same_time() -> None:
    table = made_table()
    specs = [simulated_spec(table, RANDOM, s, seed=0) for s in SCHEDULERS.values()]
    plain, asha = (simulate(table, spec, WORKERS, 400.0) for spec in specs)
    assert first_rung(specs[1]) == 2
    assert asha.stopped > 10
    assert asha.suggested > 1.2 * plain.suggested
    assert len(asha.finishes) < len(plain.finishes)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_simulated_study_is_a_function_of_its_seed(sampler: str) -> None:
    table = made_table()
    first, again, other = (
        simulate(table, simulated_spec(table, {"name": sampler}, SCHEDULERS["asha"], s), 4, 200.0)
        for s in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_scheduler_receives_each_configuration_once_and_keeps_the_best() -> None:
    table = made_table()
    spec = simulated_spec(table, RANDOM, SCHEDULERS["asha"], seed=0)
    made = feed(table, spec, np.random.default_rng(0))
    assert made.max() == 4
    assert made.min() == first_rung(spec)
    assert made[table.final.argmax()] == 4


def test_a_median_of_unreached_levels_is_marked() -> None:
    assert median([1.0] * 9, "{:.0f}", "never") == "1 (1 to 1)"
    assert median([1.0, *[math.inf] * 8], "{:.0f}", "never").startswith("never (")


def test_the_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    table = made_table(12, noise=0.2)
    print_rungs(table, 2.0)
    arm = ("random", "asha")
    spec = simulated_spec(table, RANDOM, SCHEDULERS["asha"], seed=0)
    print_table(table, {arm: [simulate(table, spec, WORKERS, 320.0)]})
    rows = capsys.readouterr().out.splitlines()
    assert rows[5].startswith("| 4 | 400 | 1.00 (1.00 to 1.00) | 1.00")
    assert rows[-1].startswith("| random | asha | ")
    assert len({row.count("|") for row in rows[:6]}) == 1


@pytest.mark.parametrize("task", TASKS)
def test_the_recorded_tables_are_complete_and_small(task: str) -> None:
    table = recorded_tables()[task]
    assert len(table.params) >= 30
    assert not np.isnan([table.plain, table.at_bT, table.seconds]).any()
    assert table.plain.shape == (len(table.params), table.spec.training.reports)
    assert (np.diff(table.seconds, axis=1) > 0).all()
    assert [table.nearest(params) for params in table.params] == list(range(len(table.params)))
    spec = simulated_spec(table, RANDOM, SCHEDULERS["asha"], seed=0)
    assert simulate(table, spec, WORKERS, 5 * table.pace[-1]).finishes
