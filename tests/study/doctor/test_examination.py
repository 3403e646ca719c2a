"""Examinations of whole folders: valid, unfinished, with a running driver, of a benchmark."""

from pathlib import Path

import pytest

from study.doctor.__main__ import main
from study.doctor.examination import examine, examine_closely
from study.doctor.examination import report as lines_of
from study.engine.benchmark.results import write_results
from study.engine.benchmark.runs import runs_of
from study.engine.tracking.subject import of_benchmark
from study.engine.tracking.tracker import Tracker
from study.errors import InputError
from study.spec.benchmark.loading import Benchmark, load_benchmark
from study.storage.commands import shown
from study.storage.events import (
    DataRead,
    RaceDecided,
    Report,
    StudyOpened,
    StudyResumed,
    TrialCreated,
    TrialStalled,
    TrialWarning,
    WarmStart,
)
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.ledger import Ledger
from study.storage.opening import locked, open_folder
from tests.study.doctor.made_folders import edit


def test_a_finished_study_has_no_findings(finished: Path) -> None:
    examination = examine_closely(finished)
    assert examination.findings == []
    assert [result.group for result in examination.results if result.not_checked] == []


def test_a_folder_that_was_moved_and_renamed_has_no_findings(
    finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    moved = finished.rename(tmp_path / "archive" / "best of May")
    examination = examine_closely(moved)
    assert examination.findings == []
    assert lines_of(examination)[0] == f"folder       {moved} (started as study)"


def test_a_folder_with_a_name_that_cannot_be_resumed_is_renamed_by_the_fix(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy = finished.rename(tmp_path / "study (copy)")
    [finding] = examine(copy)
    assert "study (copy) cannot be resumed" in finding.problem
    assert finding.fix == "mv 'study (copy)' 'study _copy_'"


def test_an_interrupted_study_has_one_finding_with_the_unfinished_trials(
    interrupted: Path,
) -> None:
    [finding] = examine(interrupted)
    assert finding.unfinished
    assert "3 of 4 trials were created, trial 2 unfinished" in finding.problem
    assert finding.fix.endswith(f"--storage {shown(interrupted.parent)} --name study --resume")


def test_unfinished_work_is_no_finding_while_a_driver_is_running(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = StudyFolder(interrupted)
    with folder.journal.open("ab") as journal:
        journal.write(b'{"event": "repo')
    (folder.checkpoints / "trial-00002.17.partial").write_bytes(b"half")
    folder.trials.unlink()
    with locked(folder):
        assert examine(interrupted) == []
        assert main([str(interrupted)]) == 0
    assert "driver       is at work" in capsys.readouterr().out
    assert len(examine(interrupted)) == 4


def test_a_worker_that_is_stalled_while_a_driver_is_running_is_named(interrupted: Path) -> None:
    folder = StudyFolder(interrupted)
    Journal(folder.journal).append(TrialStalled(trial=2, minutes=4.0, limit=15.0))
    with locked(folder):
        [finding] = examine(interrupted)
    assert finding.problem.startswith("trial 2: its worker has given no sign of life for 4 min")
    assert "heartbeats/trial-00002.json" in finding.fix
    with locked(folder):
        Journal(folder.journal).append(TrialStalled(trial=2, minutes=0.0, limit=15.0))
        assert examine(interrupted) == []


def test_an_examination_changes_no_file(interrupted: Path) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        files = [file for file in interrupted.rglob("*") if file.is_file()]
        return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    before = state()
    examine(interrupted)
    assert state() == before


def test_optional_events_are_no_finding(finished: Path) -> None:
    journal = Journal(StudyFolder(finished).journal)
    journal.append(TrialWarning(trial=0, text="a checkpoint was late"))
    journal.append(WarmStart(source="elsewhere", results=[], left_out={}, differs=[]))
    journal.append(StudyResumed(created_with={}))
    journal.append(RaceDecided(candidates=[0, 2], rounds=[[0, 2]], winner=0))
    assert examine(finished) == []


def test_a_damaged_journal_causes_no_findings_in_other_groups(finished: Path) -> None:
    edit(finished, lambda events: events.pop(1))
    examination = examine_closely(finished)
    assert {finding.group for finding in examination.findings} == {"journal"}
    skipped = [result.group for result in examination.results if result.not_checked]
    assert skipped == ["trials", "scheduler", "optuna", "checkpoints", "winner", "mlflow"]


def test_a_folder_that_is_no_study_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "must be a study folder" in capsys.readouterr().err


def test_a_study_of_a_newer_version_is_refused(finished: Path) -> None:
    edit(finished, lambda events: events[0].update(version=2))
    with pytest.raises(InputError, match="newer version"):
        examine(finished)


def test_the_command_prints_findings_with_fixes_and_one_command_that_resumes(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(interrupted)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == "journal      ok"
    assert printed[3] == "trials       1 finding"
    assert printed[-1].startswith("  python -m study.run --space")
    assert printed[-2].startswith("nothing is damaged")
    StudyFolder(interrupted).spec.write_text("search: {trials: many}\n")
    assert main([str(interrupted)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert "scheduler    not checked: spec.yaml must be repaired first" in printed
    assert not any(line.startswith("nothing is damaged") for line in printed)


BENCHMARK = """
backbones: [opt-dna-mini]
tasks: [{label: mine, set: {task.name: promoters}}]
methods: [linear_probe, adalora_rs]
baselines: [kmer]
seeds: [0]
rules:
  - set: {training.steps: 8, training.reports: 2}
  - {where: {method: adalora_rs}, set: {adapter.deltaT: 2}}
"""


def test_a_benchmark_is_examined(tmp_path: Path) -> None:
    runs = runs_of(read_benchmark(tmp_path))
    folder = open_folder(tmp_path / "runs" / "bench", BENCHMARK)
    ledger = Ledger(folder, "dev_mcc")
    ledger.append(StudyOpened(version=1, name="bench", spec="spec.yaml", tracking=None))
    ledger.append(DataRead(tasks=[], unavailable={}))
    for number, run in enumerate(runs):
        steps, reports = (1, 1) if run.seed is None else (8, 2)
        numbers = {"trial": number, "total_steps": steps, "reports": reports}
        about = {"params": run.labels, "settings": run.settings, "seeds": {}, "optuna": {}}
        ledger.append(TrialCreated(**numbers, **about))
        for report in range(1, reports + 1):
            step = {"report": report, "step": report * steps // reports}
            ledger.append(Report(trial=number, **step, metrics={"dev_mcc": 0.5, "train_loss": 1}))
        ledger.end(ledger.record.trials[number], "complete", "")
    write_results(folder, runs, ledger.record, lambda run: None)
    Tracker(ledger, None, of_benchmark(ledger)).close(ledger.record, "FINISHED")
    examination = examine_closely(folder.path)
    assert examination.findings == []
    skipped = [result.group for result in examination.results if result.not_checked]
    assert skipped == ["scheduler", "optuna", "winner"]

    edit(folder.path, lambda events: events.pop())
    unfinished, behind, row = examine(folder.path)
    assert "3 of 3 trials were created, trial 2 unfinished" in unfinished.problem
    assert "python -m study.benchmark --space" in unfinished.fix
    assert "trial 2" in behind.problem
    assert "results.csv differs from the journal in row 2" in row.problem


def read_benchmark(folder: Path) -> Benchmark:
    (folder / "bench.yaml").write_text(BENCHMARK)
    return load_benchmark(str(folder / "bench.yaml"))


def test_a_lost_journal_of_a_study_with_results_is_damage(interrupted: Path) -> None:
    StudyFolder(interrupted).journal.write_bytes(b"")
    first, *others = examine(interrupted)
    assert first.problem == "events.jsonl: is missing or empty, but there are results"
    assert not first.unfinished
    assert {finding.group for finding in others} <= {"files"}


def test_a_study_without_events_is_unfinished(interrupted: Path) -> None:
    folder = StudyFolder(interrupted)
    for file in (folder.journal, folder.trials, *folder.checkpoints.iterdir()):
        file.unlink()
    findings = examine(interrupted)
    assert "nothing has happened" in findings[0].problem
