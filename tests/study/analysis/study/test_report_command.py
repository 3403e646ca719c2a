import subprocess
import sys
from pathlib import Path

import pytest

from study.report import main
from tests.study.analysis.study.made_studies import MadeStudy


def test_the_command_writes_the_report_and_names_it(
    study: MadeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(study.folder.path)]) == 0
    assert study.folder.report.is_file()
    assert capsys.readouterr().out.strip() == str(study.folder.report)


def test_a_folder_without_a_study_gives_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_a_report_needs_neither_ray_nor_torch_nor_pyplot(finished: MadeStudy) -> None:
    for trial in range(4, 16):
        params = {"p": 0.01 * trial, "b0": 6 + trial % 8, "bT_ratio": 0.5, "lr": 1e-3}
        finished.run(trial, [0.01 * trial] * 8, params)
    code = (
        "import sys; from study.report import main; status = main(sys.argv[1:]);"
        "heavy = {'ray', 'torch', 'transformers', 'mlflow', 'matplotlib.pyplot'};"
        "sys.exit(status or ' '.join(heavy & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code, str(finished.folder.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bootstrap samples of the 14" in finished.folder.report.read_text()
