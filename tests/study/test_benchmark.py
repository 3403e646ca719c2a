"""study.benchmark: its plan, bad input, interruption and resume."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from study.benchmark import main
from tests.study.phases import without_phases

TINY = (
    "methods=[linear_probe, adalora_rs]", "baselines=[gc]", "seeds=[0, 1]",
    "training.steps=12", "training.reports=3", "training.batch_size=4",
)  # fmt: skip


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Returns the one line with which the command refuses."""
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert without_phases(captured.out) == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("error: ")
    return captured.err


def test_the_papers_grid_is_planned_without_a_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["--space", "paper_tables", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert lines[0].startswith(
        "runs 2119: 8 backbones x 13 tasks x 4 methods x 5 seeds, and 39 baselines"
    )
    # The paper's settings (Table S1) and sizes (OPT-125M, 5 and 6 matrices).
    assert "emp/H3 adalora, adalora_rs all 11,971 3e-05 7,485 57: 100 to 5,614 12 → 6 6" in lines
    assert "prom/all adalora_rs all 47,356 3e-05 29,600 6: 5,000 to 25,160 8 → 6 5.6" in lines
    assert "opt-125m lora emp/* 1,179,648 1,179,648 1,536 1,181,184 0.94%" in lines
    assert "opt-125m adalora prom/* 1,327,680 995,760 1,536 1,329,216 1.06%" in lines
    assert "dnabert-2 fmft all 116,477,952 116,477,952 592,130 117,070,082 100.00%" in lines


@pytest.mark.process
def test_the_plan_of_the_grid_loads_no_backbone_library_and_no_ray() -> None:
    code = (
        "import sys; from study.benchmark import main; status = main(sys.argv[1:]);"
        "heavy = {'ray', 'transformers', 'pyarrow', 'mlflow', 'optuna', 'pandas'};"
        "sys.exit(status or ' '.join(heavy & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code, "--space", "paper_tables", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--space", "paper_tabels"), "did you mean `paper_tables`"),
        (
            ("--space", "smoke"),
            "must be the space of a benchmark, but got that of a study; run it with",
        ),
        (("--space", "paper_tables", "--set", "tasks=[emp/H33]"), "did you mean `emp/H3`"),
        (("--space", "paper_tables", "--set", "backbones=[opt-125]"), "did you mean opt-125m"),
        (
            ("--space", "paper_tables", "--set", "training.lr=fast"),
            "training.lr: must be a number",
        ),
        (("--space", "paper_tables", "--set", "adapter.deltaT=9999999"), "(of opt-125m, emp/H3"),
        (("--space", "paper_tables", "--set", "search.trials=3"), "must begin with one of"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refuse(capsys, *arguments, "--dry-run")


def test_resuming_a_missing_benchmark_is_refused_in_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ("--space", "paper_tables", "--storage", str(tmp_path), "--dry-run", "--resume")
    assert "--resume needs a study folder, but got no such folder" in refuse(capsys, *plan)


def test_an_impossible_schedule_is_refused_in_the_plan(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """prom_tata as the paper prints it has no mask event before T."""
    message = refuse(
        capsys, "--space", "paper_tables", "--dry-run", "--set", "methods=[adalora_rs]",
        "--set", "rules=[]",
    )  # fmt: skip
    assert "adapter.deltaT: a mask event must come before T = 2605 (of 3065 steps)" in message
    assert "prom/tata" in message


# Interrupted


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    small = "task.name: promoters, task.train: 32, task.dev: 32, task.test: 32"
    few = "adapter.b0: 2, adapter.bT: 1, adapter.deltaT: 2"
    overrides = (
        f"tasks=[{{label: mine, set: {{{small}}}}}]",
        f"rules=[{{where: {{method: adalora*}}, set: {{{few}}}}}]",
        *TINY,
    )
    settings = [part for setting in overrides for part in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-m", "study.benchmark", "--space", "mini_tables", *settings, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs" / "mini_tables" / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def wait_for_reports(folder: Path, process: "subprocess.Popen[str]", reports: int) -> None:
    pause, patience = threading.Event(), time.monotonic() + 240
    while time.monotonic() < patience:
        if sum(event["event"] == "report" for event in events(folder)) >= reports:
            return
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        pause.wait(0.1)
    raise AssertionError("no report came")


@pytest.mark.chaos
def test_a_benchmark_interrupted_and_then_killed_resumes_without_repeated_runs(
    tmp_path: Path,
) -> None:
    process = start(tmp_path)
    wait_for_reports(tmp_path, process, 2)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 130, printed
    assert "python -m study.benchmark" in printed
    assert "--resume" in printed
    assert "Traceback" not in printed
    before = events(tmp_path)

    process = start(tmp_path, "--resume")
    wait_for_reports(tmp_path, process, 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    later = events(tmp_path)
    assert later[: len(before)] == before

    again = start(tmp_path, "--resume")
    printed, _ = again.communicate(timeout=300)
    assert again.returncode == 0, printed
    assert "Traceback" not in printed
    after = events(tmp_path)
    assert after[: len(later)] == later
    counts = Counter(event["event"] for event in after)
    assert counts["created"] == counts["ended"] == 5
    reports = [(e["trial"], e["report"]) for e in after if e["event"] == "report"]
    assert len(reports) == len(set(reports)) == 1 + 4 * 3
    folder = tmp_path / "runs" / "mini_tables"
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert [row["state"] for row in rows] == ["complete"] * 5
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "tables" / "all_mcc.png").exists()
