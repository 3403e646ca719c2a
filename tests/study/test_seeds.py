"""study.seeds: its plan, bad input, interruption and resume."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.errors import InputError
from study.seeds import __main__ as seeds
from study.seeds.__main__ import main
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    RS,
    pairs_of,
    write,
    write_outputs,
)
from tests.study.phases import without_phases

FIXED = """
task: {name: promoters, train: 32, dev: 32, test: 32}
adapter: {method: adalora_rs, p: 0.2, b0: 2, bT: 1, deltaT: 4}
training: {lr: 1e-2, steps: 12, batch_size: 4, reports: 6}
"""


@pytest.fixture
def fixed(tmp_path: Path) -> str:
    """A YAML with one value a setting."""
    file = tmp_path / "fixed.yaml"
    file.write_text(FIXED)
    return str(file)


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Returns the one line with which the command refuses."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert without_phases(captured.out) == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("error: ")
    return captured.err


def test_the_plan_has_configurations_runs_steps_and_warnings(
    fixed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ("--config", fixed, "--against", "lora", "fmft", "--vary", "adapter.p=0", "--dry-run",
            "--storage", str(tmp_path / "runs"), "--pairs", "9", "--init-seeds", "1")  # fmt: skip
    assert main(list(plan)) == 0
    printed = capsys.readouterr()
    lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    # 9 pairs of 4; 5 mask x 1 init x 3 data of the first, of which one is the first pair's.
    assert lines[0].startswith("runs 50: 9 runs of 4 configurations, each with fresh seeds (mask")
    assert "fixed with 5 mask x 1 init x 3 data seeds, crossed" in " ".join(lines[:4])
    assert "fixed adalora_rs 23 12" in "\n".join(lines)
    assert "lora: rank 2 is b0 of the first configuration" in lines
    assert "fmft: not tuned for this method: lr 0.001 (the value in its range" in "\n".join(lines)
    assert "only one init seed: the variance due to the initial weights cannot" in printed.err
    assert not (tmp_path / "runs").exists()


def test_mask_seeds_without_a_random_mask_cause_a_warning(
    fixed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", fixed, "--set", "adapter.p=0", "--mask-seeds", "1", "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("runs       9:")
    assert "no random mask (p > 0) in the crossed runs" in printed.err
    assert "a single mask seed" not in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--study", "nowhere"), "--study nowhere: must be the folder of a study"),
        (("--config", "smoke"), "domains for b0, bT, p, lr"),
        (("--config", "nothing.yaml"), "nothing.yaml: must be an existing YAML file"),
        (("--config", "FIXED", "--against", "adalor"), "did you mean `adalora`"),
        (("--config", "FIXED", "--vary", "adapter.q=1"), "adapter.q: must be a known key, but"),
        (("--config", "FIXED", "--set", "adapter.deltaT=9"), "deltaT < T must hold"),
        (("--config", "FIXED", "--vary", "training.epochs=1", "adapter.warmup_steps=5",
          "--metric", "test_mc"), "did you mean `test_mcc`"),
        (("--config", "FIXED", "--name", "a/b"), "--name: must be the name of a folder"),
        (("--config", "FIXED", "--resume"), "--resume must name the folder of a comparison"),
        (("--config", "FIXED", "--until", "decided"), "at least two configurations must"),
        (("--config", "FIXED", "--vary", "adapter.p=0", "--runs", "9"), "at least 8 pairs"),
        (("--config", "FIXED", "--vary", "adapter.p=0", "--until", "decided", "--max-runs", "15"),
         "--max-runs 15: must be at least the number of runs that are planned at first, 16"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...],
    message: str,
    fixed: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [fixed if word == "FIXED" else word for word in arguments]
    assert message in refuse(capsys, *given, "--storage", str(tmp_path / "runs"))


def test_a_schedule_that_depends_on_the_data_is_refused_with_its_configuration(
    fixed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refuse(
        capsys, "--config", fixed, "--vary", "training.epochs=1,training.batch_size=16",
        "--storage", str(tmp_path),
    )  # fmt: skip
    assert "epochs=1,batch_size=16: adapter.deltaT: a mask event must come before T" in message


@pytest.mark.parametrize("arguments", [[], ["--top", "3"], ["--config", "a", "--mask-seeds", "0"]])
def test_incompatible_options_print_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_options_with_several_values_may_be_repeated() -> None:
    options = "--config a.yaml --config b.yaml --against c d --against e --vary x=1 --vary y=2"
    arguments = seeds.parse(options.split())
    assert arguments.config == ["a.yaml", "b.yaml"]
    assert arguments.against == ["c", "d", "e"]
    assert arguments.vary == ["x=1", "y=2"]
    assert seeds.parse(["--config", "a.yaml"]).against == []
    assert seeds.parse(["--analyse", "a", "--analyse", "b", "c"]).analyse == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--study", "runs/x"], "--study"),
        (["--config", "x.yaml"], "--config"),
        (["--resume"], "--resume"),
        (["--dry-run"], "--dry-run"),
        (["--mask-seeds", "7", "--vary", "adapter.p=0"], "--mask-seeds, --vary"),
        (["--name", "x", "--set", "a.b=1"], "--name, --set"),
        (["--max-concurrent", "2"], "--max-concurrent"),
    ],
)
def test_analysis_refuses_options_that_have_no_effect(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--analyse", "folder", *arguments])
    assert ended.value.code == 2
    assert f"--analyse only reads existing folders: leave out {named}\n" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["abc", "0", "-1", "1001", "5000000", "9" * 5000, "1.5"])
def test_the_number_of_seeds_is_limited(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--config", "a", f"--mask-seeds={text}"])
    assert ended.value.code == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert "--mask-seeds: must be a whole number from 1 to 1000, but got '" in printed
    assert len(printed) < 200


def test_the_number_of_runs_of_a_configuration_is_limited(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--config", "a", "--mask-seeds", "1000", "--init-seeds", "1000"])
    assert ended.value.code == 2
    assert "at most 100000 runs of a configuration, but 1000 x 1000 x 3" in capsys.readouterr().err


def test_the_analysis_is_called_with_the_folders_and_the_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(seeds, "analyse", lambda *given: asked.append(given[:2]))
    assert main(["--analyse", str(tmp_path), "b", "--metric", "dev_auc"]) == 0
    assert asked == [([tmp_path, Path("b").absolute()], "dev_auc")]


def test_json_is_all_that_standard_output_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pairs_of([replace(RS, level=0.7), ADALORA], 14)
    folder = write_outputs(write(tmp_path, rows), rows)
    assert main(["--analyse", str(folder), "--json", "--rope", "0.02"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["decided"]
    [pair] = found["tasks"][0]["pairs"]
    assert (pair["decision"], pair["rope"], pair["pairs"]) == ("better", 0.02, 14)
    assert 0 < pair["low"] < pair["difference"] < pair["high"]


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (InputError("there is nothing"), 2, "error: there is nothing"),
        (OSError(errno.ENOSPC, "No space left", "x"), 1, "error: x cannot be used: No space left"),
    ],
)
def test_an_analysis_that_cannot_finish_prints_one_line(
    fault: BaseException,
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(seeds, "analyse", failing)
    assert main(["--analyse", str(tmp_path / "no & name")]) == status
    assert capsys.readouterr().err.strip() == message


# Interrupted and resumed


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "study.seeds", "--config", "fixed.yaml", "--name", "c"]
    command += ["--vary", "adapter.p=0", "--mask-seeds", "2"]
    command += ["--init-seeds", "1", "--data-seeds", "1"]
    command += ["--metric", "test_auc"]  # Which differs where MCC is 0 in all of these.
    return subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs" / "c" / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.mark.ray
def test_an_interrupted_comparison_continues_with_more_seeds_and_repeats_nothing(
    fixed: str, tmp_path: Path
) -> None:
    process = start(tmp_path, "--pairs", "1", "--max-concurrent", "1")
    pause, patience = threading.Event(), time.monotonic() + 120
    while sum(event["event"] == "report" for event in events(tmp_path)) < 3:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < patience
        pause.wait(0.05)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    assert "python -m study.seeds" in printed
    assert "--resume" in printed
    before = events(tmp_path)

    # Two more runs than one pair and the crossed ones: a second pair, and no decision.
    until = ("--until", "decided", "--max-runs", "6")
    process = start(tmp_path, "--resume", "--max-concurrent", "1", *until)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 3, printed
    assert "Traceback" not in printed
    after = events(tmp_path)
    assert after[: len(before)] == before
    counts = Counter(event["event"] for event in after)
    assert counts["created"] == counts["ended"] == 5
    reports = [(e["trial"], e["report"]) for e in after if e["event"] == "report"]
    assert len(reports) == len(set(reports)) == 5 * 2

    folder = tmp_path / "runs" / "c"
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert [(row["configuration"], row["mask"], row["data"]) for row in rows] == [
        ("fixed", "2000", "2000"), ("p=0", "", "2000"),
        ("fixed", "2001", "2001"), ("p=0", "", "2001"), ("fixed", "2001", "2000"),
    ]  # fmt: skip
    assert {row["state"] for row in rows} == {"complete"}
    assert sum(float(row["shared_steps"] or 0) for row in rows) >= 3
    for row in rows:
        outputs = np.load(folder / "outputs" / f"run-{int(row['run']):05d}.npz")
        assert outputs["test"].shape == (32, 2)
        assert outputs["kept"].shape == (len(outputs["modules"]), 2)
        assert len(outputs["event_kept"]) == len(outputs["event_steps"]) > 1
    assert list((folder / "prefixes").iterdir()) == []
    assert (folder / "report.html").stat().st_size > 10_000
