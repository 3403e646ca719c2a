"""What messages report in place of a folder with certain files."""

from pathlib import Path

from study.errors import instead_of


def test_a_missing_folder_a_file_and_missing_files_are_distinguished(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    files = folder / "spec.yaml", folder / "best" / "scores.json"
    assert instead_of(*files) == "no such folder"
    folder.mkdir()
    assert instead_of(*files) == "a folder without spec.yaml and best/scores.json"
    files[0].touch()
    assert instead_of(*files) == "a folder without best/scores.json"
    assert instead_of(files[0] / "spec.yaml") == "a file"
