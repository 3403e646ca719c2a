"""Command lines for a stored study: they work where they are shown."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from study.cli import parse_study, study_path
from study.seeds.__main__ import parse as parse_seeds
from study.storage.commands import compare_seeds, export, predict, reproduce, resume


def arguments(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[:2] == ["python", "-m"]
    return words[3:]


def test_in_the_default_storage_paths_are_relative_and_storage_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "runs" / "mine"
    assert reproduce(study) == ("python -m study.run --space runs/mine/best.yaml --name mine-best")
    assert compare_seeds(study) == "python -m study.seeds --study runs/mine"
    assert predict(study) == "python -m study.predict runs/mine new.fa --out predicted.csv"
    assert export(study) == "python -m study.export runs/mine --to merged --out runs/mine-model"
    assert resume(study) == (
        "python -m study.run --space runs/mine/spec.yaml --name mine --resume"
    )


@pytest.mark.parametrize("command", [reproduce, resume])
@pytest.mark.parametrize("storage", ["my $HOME's", "-x", ".", "../beside", "deep/runs"])
def test_elsewhere_the_command_names_the_same_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[Path], str],
    storage: str,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    study = Path(storage).absolute() / "mine"
    study.mkdir(parents=True)
    (study / "best.yaml").touch()
    (study / "spec.yaml").touch()
    parsed = parse_study(arguments(command(study)))
    assert Path(parsed.space).absolute().parent == study
    assert study_path(parsed).parent.resolve() == study.parent.resolve()
    assert not Path(parsed.storage).is_absolute()


def test_outside_the_working_folder_paths_are_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    parsed = parse_seeds(arguments(compare_seeds(tmp_path / "runs" / "mine")))
    assert (parsed.study, parsed.storage) == (f"{tmp_path}/runs/mine", f"{tmp_path}/runs")


@pytest.mark.parametrize("name", ["mine (copy)", "ü", "x" * 200, "--"])
def test_any_name_of_a_folder_gives_a_name_that_is_accepted(tmp_path: Path, name: str) -> None:
    assert study_path(parse_study(arguments(reproduce(tmp_path / name))))
