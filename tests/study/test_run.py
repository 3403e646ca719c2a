"""study.run: exit status, one line for bad input, interruption and resume."""

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from study import run as command
from study.engine import preparation, session
from study.errors import InputError
from study.models.info import EMBEDDED
from study.run import main
from study.spec import StudySpec, dump_spec, load_spec
from study.storage.events import StudyOpened
from study.storage.folder import StudyFolder
from study.storage.journal import Journal
from study.storage.opening import open_folder
from study.storage.stored import StoredStudy
from tests.study.phases import without_phases

ROOT = Path(__file__).parent.parent.parent
TINY = [
    "--set", "adapter.deltaT=2", "--set", "training.steps=8", "--set", "training.batch_size=4",
    "--set", "task.train=32", "--set", "task.dev=32", "--set", "task.test=32",
]  # fmt: skip


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Runs the command on bad input; returns its one line."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert without_phases(captured.out) == ""
    return errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "no-such-space"], "must be an existing YAML file or one of"),
        (["--space", "smoke", "--set", "adapter.betta1=.5"], "did you mean `beta1`?"),
        (["--space", "smoke", "--trials", "0"], "search.trials: trials >= 1 must hold"),
        (["--space", "smoke", "--set", "task.path=nowhere"], "which does not exist"),
        (["--space", "smoke", "--set", "backbone.name=./nowhere"], "backbone"),
        (["--space", "smoke", "--tracking-uri", "http://127.0.0.1:9"], "must answer a search"),
        (["--space", "smoke", "--tracking-uri", "mlruns"], "must start with http"),
        (["--space", "smoke", "--resume"], "--resume needs a study folder"),
        (["--space", "adalora_rs", "--warm-start", "nowhere"], "must be the folder of a study"),
        (["--space", "smoke", "--warm-start", "."], "must be one that learns from results"),
        (["--space", "smoke", "--extend", "2"], "--resume needs a study folder"),
        (["--space", "smoke", "--address", "127.0.0.1:9"], "must listen at this host:port"),
        (["--space", "smoke", "--address", "ray://127.0.0.1:9"], "on a node of the cluster"),
        (["--space", "smoke", "--address", "nonsense"], "must listen at this host:port"),
        (["--space", "smoke", "--cpus-per-trial", "9999"], "a trial must fit this machine"),
        (["--space", "smoke", "--no-token"], "--no-token: must be given with --address"),
        (["--space", "smoke", "--name", "../elsewhere"], "must be the name of a folder"),
        (["--space", "smoke", "--name", ""], "must be the name of a folder"),
        (
            ["--space", "smoke", "--set", "training.epochs=1", "--set", "training.reports=200"],
            "reports <= steps must hold",
        ),
        (["--space", "smoke", "--set", "task.max_length=9999"], "must fit the"),
        (
            ["--space", "smoke", "--set", "training.epochs=1", "--set", "adapter.deltaT=5000"],
            "a mask event must come before T",
        ),
        (["--space", "smoke", "--set", "adapter.deltaT=20"], "the first rung must not precede"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refuse(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_study_resumes_while_its_tracking_server_is_unreachable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = open_folder(tmp_path / "runs" / "smoke", dump_spec(load_spec("smoke")))
    Journal(folder.journal).append(StudyOpened(version=1, tracking="http://127.0.0.1:9"))
    monkeypatch.setattr(command, "execute", lambda *arguments: command.DONE)
    assert main(["--space", "smoke", "--resume"]) == command.DONE
    printed = capsys.readouterr().err
    assert "warning: MLflow at http://127.0.0.1:9 does not respond" in printed
    assert "by a later --resume" in printed
    for options in (["--resume"], ["--name", "other", "--dry-run"]):
        refused = refuse(
            capsys, "--space", "smoke", "--tracking-uri", "http://127.0.0.1:9", *options
        )
        assert "a tracking server must answer" in refused


def test_bad_labels_are_refused_with_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "dev", "test"):
        (data / f"{split}.csv").write_text("sequence,label\nACGTACGT,0\nACGTTTTT,2\n")
    assert "labels" in refuse(capsys, "--space", "smoke", "--set", f"task.path={data}")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_damaged_weights_are_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EMBEDDED["opt-dna-mini"], tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    for plan in ([], ["--dry-run"]):
        message = refuse(capsys, "--space", "smoke", "--set", "backbone.name=./model", *plan)
        assert "model.safetensors must be safetensors" in message
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "o'brien", "a" * 300, "two\nlines", ""])
def test_a_name_that_is_not_a_folder_name_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "must be the name of a folder" in refuse(capsys, "--space", "smoke", "--name", name)
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_storage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--space", "smoke", "--storage", "a" * 300])
    assert ended.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "argument --storage: must be a path that the file system accepts, but got" in message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("search.metric=auc", "search.metric: dev must have rows of every class for auc, but got"),
        ("constraints.dev_auprc='>= 0.5'", "dev_auprc: dev must have rows of every class"),
        (
            "training.class_weights=[1, 2]",
            "training.class_weights: must have a weight for each of the 3 classes of data (exon, "
            "intron, site, in this order), but got 2 weights; give 3, or write balanced",
        ),
    ],
)
def test_settings_that_do_not_fit_the_classes_are_refused_before_anything_is_written(
    setting: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    names = ("exon", "intron", "site")
    rows = {"train": names, "dev": names[:2], "test": names}
    for split, labels in rows.items():
        text = "".join(f"{'ACGT' * (20 + i)},{label}\n" for i, label in enumerate(labels * 30))
        (data / f"{split}.csv").write_text("sequence,label\n" + text)
    for plan in ([], ["--dry-run"]):
        given = ("--space", "smoke", "--set", f"task.path={data}", "--set", setting)
        refused = refuse(capsys, *given, *plan)
        assert message in refused
        assert ("none of class site in data" in refused) == ("every class" in message)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("ignored", [False, True])
def test_sigterm_ends_a_command_as_an_interruption_does(
    ignored: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    # In the background of a script SIGINT is ignored.
    of_sigint = signal.signal(
        signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler
    )
    monkeypatch.setattr(
        command, "load_spec", lambda *given, **options: signal.raise_signal(signal.SIGTERM)
    )
    try:
        assert main(["--space", "smoke"]) == 130
    finally:
        signal.signal(signal.SIGINT, of_sigint)
    assert capsys.readouterr().err == "\ninterrupted\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interruption_prints_the_resume_command_only_if_the_folder_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "load_spec", interrupt)
    assert main(["--space", "smoke"]) == 130
    assert "--resume" not in capsys.readouterr().out
    folder = tmp_path / "runs" / "smoke"
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text("")
    given = ["--tracking-uri=http://me:secret@host:5000", "--set", "adapter.p={a: 1}"]
    monkeypatch.setattr(sys, "argv", ["run", "--space", "smoke", *given])
    assert main(["--space", "smoke"]) == 130
    printed = capsys.readouterr().out
    assert "--tracking-uri=http://host:5000 --set 'adapter.p={a: 1}' --resume" in printed


@pytest.mark.parametrize("quiet", [False, True])
def test_the_first_line_comes_before_the_data_are_read_unless_quiet(
    quiet: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed: list[str] = []

    def read(*arguments: object) -> None:
        printed.append(capsys.readouterr().out)
        raise InputError("data: must be there, but got none; add them")

    monkeypatch.setattr(preparation, "prepare_data", read)
    arguments = ["--space", "smoke", "--storage", str(tmp_path), *["--quiet"] * quiet]
    assert main(arguments) == 2
    assert without_phases(printed[0]) == ""
    assert printed[0].endswith("  smoke: reading the data\n") is not quiet


def test_an_interruption_that_ends_the_driver_writes_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(stored: StoredStudy, spec: StudySpec, *others: Any) -> None:
        open_folder(stored.folder.path, dump_spec(spec))
        Journal(stored.folder.journal).append(StudyOpened())
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "run_study", interrupt)
    assert main(["--space", "smoke", "--storage", str(tmp_path)]) == 130
    assert (tmp_path / "smoke" / "report.html").stat().st_size > 10_000
    assert "--resume" in capsys.readouterr().out


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_disk_error_is_printed_with_the_resume_command(
    fault: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "spec.yaml").touch()

    def full(arguments: Any) -> int:
        raise OSError(fault, os.strerror(fault), "runs/smoke/events.jsonl")

    arguments = command.parse_study(["--space", "smoke", "--storage", str(tmp_path)])
    assert command.run_command(full, arguments, "run") == 1
    printed = capsys.readouterr()
    assert f"events.jsonl cannot be used: {os.strerror(fault)}" in printed.err
    assert "free space" in printed.out
    assert "--resume" in printed.out


def test_too_little_memory_is_printed_with_the_resume_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhausted(arguments: Any) -> int:
        raise MemoryError("the winner (trial 3) could not be evaluated")

    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "spec.yaml").touch()
    arguments = command.parse_study(["--space", "smoke", "--storage", str(tmp_path)])
    assert command.run_command(exhausted, arguments, "run") == 1
    printed = capsys.readouterr()
    assert printed.err == "error: out of memory: the winner (trial 3) could not be evaluated\n"
    assert "--resume" in printed.out


def test_a_bug_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "load_spec", bug)
    with pytest.raises(ZeroDivisionError):
        main(["--space", "smoke"])


def test_the_command_needs_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "--space is required" in capsys.readouterr().err


def test_the_printed_schema_is_json_with_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"adapter", "training", "search"} <= set(schema["properties"])


def finished_study(folder: Path) -> None:
    """A study of the shipped smoke space with four trials, as far as its spec goes."""
    study = folder / "runs" / "smoke"
    study.mkdir(parents=True)
    (study / "spec.yaml").write_text(dump_spec(load_spec("smoke", ["search.trials=4"])))


def test_an_extension_needs_a_positive_number_and_excludes_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished_study(tmp_path)
    assert "N >= 1 must hold" in refuse(capsys, "--space", "smoke", "--extend", "0")
    with pytest.raises(SystemExit) as end:
        main(["--space", "smoke", "--extend", "1", "--trials", "9"])
    assert end.value.code == 2
    assert "--trials must be left out" in capsys.readouterr().err


def test_a_smaller_number_of_trials_is_ignored_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = []

    def note(arguments: object, path: object, spec: Any, *others: object) -> int:
        specs.append(spec)
        return command.DONE

    monkeypatch.chdir(tmp_path)
    finished_study(tmp_path)
    monkeypatch.setattr(command, "execute", note)
    assert main(["--space", "smoke", "--resume", "--trials", "2"]) == command.DONE
    assert [spec.search.trials for spec in specs] == [4]
    assert capsys.readouterr().err == "warning: --trials 2: the study keeps its 4 trials\n"


def test_the_plan_of_a_study_that_cannot_be_resumed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = ["--space", "smoke", "--resume", "--dry-run"]
    assert "--resume needs a study folder, but got no such folder" in refuse(capsys, *plan)
    finished_study(tmp_path)
    assert "differs in: adapter.p" in refuse(capsys, *plan, "--set", "adapter.p=0.123")
    journal = Journal(tmp_path / "runs" / "smoke" / "events.jsonl")
    journal.append(StudyOpened(version=1, data="of other sequences"))
    before = journal.path.read_bytes()
    assert "labels or tokens of" in refuse(capsys, *plan)
    assert journal.path.read_bytes() == before
    journal.append(StudyOpened(version=1))
    assert "the first event must be `study`, and no other" in refuse(capsys, *plan)


def test_the_plan_of_a_study_whose_weights_have_changed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished_study(tmp_path)
    journal = Journal(tmp_path / "runs" / "smoke" / "events.jsonl")
    plan = ["--space", "smoke", "--resume", "--dry-run"]
    journal.append(StudyOpened(version=1))  # Of a version that did not record the weights.
    assert main(plan) == command.DONE
    capsys.readouterr()
    journal.path.unlink()
    Journal(journal.path).append(StudyOpened(version=1, backbone="of other weights"))
    assert "another config.json or other weights of opt-dna-mini" in refuse(capsys, *plan)


@pytest.mark.parametrize(
    ("options", "again"),
    [
        (["--extend", "3"], "--trials 7 --resume"),
        (["--ext=3", "--max-concurrent", "1"], "--trials 7 --resume --max-concurrent 1"),
        (["--resume"], "--resume"),
        ([], "--resume"),
    ],
)
def test_an_interrupted_extension_resumes_with_the_same_number_of_trials(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    again: str,
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    finished_study(tmp_path)
    stored = StoredStudy.read(StudyFolder(tmp_path / "runs" / "smoke"))
    monkeypatch.setattr(preparation, "check_folder", lambda *arguments: stored)
    monkeypatch.setattr(preparation, "prepare_data", interrupt)
    monkeypatch.setattr(sys, "argv", ["run", "--space", "smoke", *options])
    assert main(["--space", "smoke", *options]) == 130
    printed = capsys.readouterr().out
    assert printed.endswith(f"python -m study.run --space smoke {again}\n")


def test_options_become_overrides_after_those_of_set() -> None:
    arguments = command.parse_study(
        [
            *("--space", "smoke", "--trials", "3", "--gpus-per-trial", "0.25"),
            *("--set", "seeds.init=4", "--experiment", "a: b"),
        ]
    )
    assert command.overrides(arguments) == [
        "seeds.init=4",
        "search.trials=3",
        "resources.gpus_per_trial=0.25",
        'tracking.experiment="a: b"',
    ]


# Whole runs in separate processes
