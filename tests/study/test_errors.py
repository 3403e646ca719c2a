"""How messages are shown, and what they report in place of a folder with certain files."""

from pathlib import Path

from study.errors import InputError, instead_of


def test_a_missing_folder_a_file_and_missing_files_are_distinguished(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    files = folder / "spec.yaml", folder / "best" / "scores.json"
    assert instead_of(*files) == "no such folder"
    folder.mkdir()
    assert instead_of(*files) == "a folder without spec.yaml and best/scores.json"
    files[0].touch()
    assert instead_of(*files) == "a folder without best/scores.json"
    assert instead_of(files[0] / "spec.yaml") == "a file"


def test_a_message_is_shown_without_control_characters() -> None:
    error = InputError("a\x00b: must be \x1b[31mtext, but got 'x\ny\u202e\ud800'")
    assert str(error) == ("a\\x00b: must be \\x1b[31mtext, but got 'x\\ny\\u202e\\ud800'")
    assert str(InputError("a: must be 'Straße', but got “…”")).endswith("'Straße', but got “…”")


def test_a_long_message_keeps_its_place_and_its_fix() -> None:
    text = str(InputError(f"x.csv:3: must be a base, but got {'N' * 10**6}; change it"))
    assert len(text) < 1600
    assert text.startswith("x.csv:3: must be a base, but got NNN")
    assert text.endswith("NNN; change it")


def test_a_message_has_no_password_of_a_web_address() -> None:
    text = str(InputError("a: must be one of http://me:s@cret@h:1/x and ftp://u@h, but got a@b"))
    assert text == "a: must be one of http://h:1/x and ftp://h, but got a@b"
