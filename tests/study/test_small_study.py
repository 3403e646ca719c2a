"""A small study as a user runs it: the study, its report and its export, as commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(folder: Path, *command: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.ray
@pytest.mark.slow
def test_a_small_study_is_run_reported_and_exported(tmp_path: Path) -> None:
    printed = run(tmp_path, "study.run", "--space", "smoke", "--trials", "2")
    assert "winner     trial " in printed
    folder = tmp_path / "runs" / "smoke"
    assert str(folder / "report.html") in run(tmp_path, "study.report", str(folder))
    run(tmp_path, "study.export", str(folder), "--to", "merged", "--out", "model")
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert (tmp_path / "model" / "README.md").is_file()
