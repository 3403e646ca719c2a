"""The state of a folder from its journal alone, of every kind and in every condition."""

import json
import os
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import dump_spec, load_spec
from study.spec.benchmark.loading import load_benchmark
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds, dump_comparison
from study.storage.events import DataRead, StudyOpened, TrialCreated, TrialEnded
from study.storage.folder import StudyFolder
from study.storage.journal import Journal, line_of
from study.storage.live.reading import read_snapshot
from study.storage.opening import open_folder
from tests.study.ledgers import OpenLedger, ReadSpec, create, report
from tests.study.storage.result.made_journals import MadeStudy


def test_a_study_is_read_with_its_running_trials(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    for number in range(3):
        create(ledger, number)
        report(ledger, number, 1, 0.1 * number)
    ledger.end(ledger.record.trials[0], "pruned", "")
    ledger.end(ledger.record.trials[2], "complete", "")
    snapshot = read_snapshot(ledger.folder.path, ledger.record.last or 0.0)
    assert snapshot.counts == {"complete": 1, "stopped_early": 1, "failed": 0, "running": 1}
    assert snapshot.headline is not None
    assert snapshot.headline.trial == 2
    assert [one.trial for one in snapshot.running] == [1]
    assert snapshot.running[0].curve == [0.1]
    assert snapshot.silent is not None
    assert json.loads(json.dumps(snapshot.as_json(), allow_nan=False))["planned"] == 6


def test_reading_writes_and_locks_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    folder = ledger.folder.path
    before = {file: file.stat().st_mtime_ns for file in [folder, *folder.rglob("*")]}
    for file in before:
        file.chmod(0o555 if file.is_dir() else 0o444)
    try:
        read_snapshot(folder, 0.0)
    finally:
        for file in before:
            file.chmod(0o755 if file.is_dir() else 0o644)
    assert {file: file.stat().st_mtime_ns for file in [folder, *folder.rglob("*")]} == before


def test_a_study_in_its_race_has_the_runs_of_the_race(tmp_path: Path, read_spec: ReadSpec) -> None:
    spec = read_spec("search.trials=16")
    made = MadeStudy(spec, 2, 1.0)
    folder = open_folder(tmp_path / "s", dump_spec(spec))
    journal = [line_of(event, event.time) for event in made.events[:-1]]
    folder.journal.write_text("".join(journal))
    race = open_folder(folder.finalists, "configurations: {}\n")
    begun = [StudyOpened(time=made.race[0].time), *made.race[:5]]
    race.journal.write_text("".join(line_of(event, event.time) for event in begun))
    snapshot = read_snapshot(folder.path, made.race[5].time)
    assert snapshot.phase == "race"
    assert snapshot.race is not None
    assert snapshot.time_left is not None
    assert snapshot.time_left.parts["search"] == 0.0
    with pytest.raises(InputError, match="but got the race of the study"):
        read_snapshot(race.path, 0.0)


def test_a_benchmark_counts_the_runs_that_can_be_run(tmp_path: Path) -> None:
    benchmark = load_benchmark("mini_tables")
    folder = StudyFolder(tmp_path / "b")
    folder.path.mkdir()
    folder.spec.write_text((Path("search_spaces") / "benchmarks" / "mini_tables.yaml").read_text())
    journal = Journal(folder.journal)
    journal.append(StudyOpened())
    planned = read_snapshot(folder.path, 0.0).planned
    assert planned == sum(1 if cell.is_baseline else 5 for cell in benchmark.cells)
    lacking = next(cell for cell in benchmark.cells if not cell.is_baseline)
    journal.append(DataRead(tasks=[], unavailable={lacking.named: "no weights"}))
    assert read_snapshot(folder.path, 0.0).planned == planned - 5


def test_a_comparison_has_a_group_per_configuration(tmp_path: Path) -> None:
    fixed = ("adapter.p=0.1", "adapter.b0=8", "adapter.bT=4", "training.lr=1e-3")
    spec = load_spec("smoke", fixed)
    plain = spec.model_copy(update={"adapter": spec.adapter.model_copy(update={"p": 0.0})})
    seeds = FactorSeeds.fresh(spec.seeds, mask=2, init=2, data=1)
    comparison = ComparisonSpec(configurations={"best": spec, "p=0": plain}, seeds=seeds)
    folder = open_folder(tmp_path / "c", dump_comparison(comparison))
    journal = Journal(folder.journal)
    journal.append(StudyOpened())
    for number, state in enumerate(("complete", "failed")):
        created = TrialCreated(
            trial=number,
            params={"configuration": "best", "mask": number, "init": 0, "data": 0},
            settings={},
            seeds={"mask": number, "init": 0, "data": 0},
            total_steps=4,
            reports=1,
            optuna={},
        )
        journal.append(created)
        journal.append(TrialEnded(trial=number, state=state, reason="the loss is not finite"))
    snapshot = read_snapshot(folder.path, 0.0)
    assert (snapshot.kind, snapshot.planned) == ("comparison", 2 * 2 + 2)
    assert [(one.label, one.ended, one.failed) for one in snapshot.groups] == [("best", 2, 1)]
    assert snapshot.failures == {"the loss is not finite": [1]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"event": "study", "time": 1.0, "version": 1}\nnonsense\n', "every line must be"),
        (b'{"event": "study", "time": 1.0, "version": 99}\n', "a newer version"),
    ],
)
def test_a_damaged_journal_is_one_line(open_ledger: OpenLedger, content: bytes, text: str) -> None:
    folder = open_ledger().folder
    folder.journal.write_bytes(content)
    with pytest.raises(InputError, match=text):
        read_snapshot(folder.path, 0.0)


def test_a_folder_that_is_being_made_or_written_is_read(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    with ledger.folder.journal.open("ab") as file:
        file.write(b'{"event": "created", "tri')
    assert read_snapshot(ledger.folder.path, 0.0).over == 0
    ledger.folder.journal.unlink()
    snapshot = read_snapshot(ledger.folder.path, 0.0)
    assert (snapshot.phase, snapshot.began, snapshot.time_left) == ("search", None, None)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "odd" / "events.jsonl").mkdir(parents=True)
    (tmp_path / "odd" / "spec.yaml").touch()
    for path, found in [
        (tmp_path, "a folder without spec.yaml and events.jsonl"),
        (tmp_path / "file", "a file"),
        (tmp_path / "none", "no such folder"),
        (tmp_path / "odd", "a folder in the place of events.jsonl"),
    ]:
        with pytest.raises(InputError, match=f"but got {found}"):
            read_snapshot(path, 0.0)


def test_a_folder_without_a_sign_of_life_says_for_how_long(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    create(ledger, 0)
    os.utime(ledger.folder.journal, (1000.0, 1000.0))
    assert read_snapshot(ledger.folder.path, 1600.0).silent == pytest.approx(600.0)
    beat = ledger.folder.heartbeat(0)
    beat.parent.mkdir()
    beat.write_text("{}")
    os.utime(beat, (1590.0, 1590.0))
    assert read_snapshot(ledger.folder.path, 1600.0).silent == pytest.approx(10.0)
