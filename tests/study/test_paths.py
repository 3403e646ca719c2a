"""Paths as people give them: expanded, or refused with the step that helps, in every command."""

import importlib
from pathlib import Path

import pytest

from study.errors import InputError
from study.paths import local_path
from study.spec import load_spec
from study.spec.benchmark.loading import load_benchmark


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/runs", "--storage") == f"{tmp_path}/runs"
    assert local_path("~", "--storage") == str(tmp_path)
    assert local_path("runs/~", "--storage") == "runs/~"


@pytest.mark.parametrize(
    "name",
    ["with space", "ünï-序列", "a%20b", "a%2Fb", "a?b=c", "a#b", "a'b\"c", "a;b", "-x", "a&b"],
)
def test_odd_but_printable_names_are_paths(name: str, tmp_path: Path) -> None:
    assert local_path(str(tmp_path / name), "--out") == str(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ("s3://bucket/runs", "but got 's3://bucket/runs'; mount it, or download it and give the"),
        ("gs://b/x", "mount it, or download it"),
        ("file:///data/x", "but got 'file:///data/x'; write /data/x"),
        (
            "https://huggingface.co/facebook/opt-125m/tree/main",
            "for a backbone write its name, facebook/opt-125m; download data and give the folder",
        ),
        ("C:\\Users", "but got the Windows path 'C:\\\\Users'; in WSL write /mnt/c/Users"),
        ("D:/x y", "in WSL write /mnt/d/x y"),
        ("$DATA/x", "but got '$DATA/x', which is not expanded here; write the whole path"),
        ("~nobody-of-that-name/x", "which is not expanded here; write the whole path"),
        ("", "must be a path, but got an empty text"),
        (" ", "must be a path, but got an empty text"),
        ("a\nb", "must be a path of printable characters, but got 'a\\nb'; rename"),
        ("a\udcffb", "must be a path of printable characters, but got 'a\\udcffb'; rename"),
        ("x" * 5000, "must be a path that the file system accepts, but got 'xxx"),
    ],
)  # fmt: skip
def test_what_is_no_path_here_is_refused_with_what_to_do(given: str, end: str) -> None:
    with pytest.raises(InputError) as caught:
        local_path(given, "--storage")
    line = str(caught.value)
    assert line.startswith("--storage: must be a path")
    assert end in line
    assert len(line) < 300
    assert "\n" not in line


def test_a_folder_with_such_a_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("$DATA", "~x", "C:\\x"):
        Path(name).mkdir()
        assert local_path(name, "--storage") == name
        assert local_path(name, "--storage", [Path("/proc"), tmp_path]) == name


S3 = "s3://bucket/x"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("run", ["--space", S3]),
        ("run", ["--space", "smoke", "--storage", S3]),
        ("run", ["--space", "smoke", "--warm-start", S3]),
        ("seeds", ["--study", S3]),
        ("seeds", ["--config", "best.yaml", S3]),
        ("seeds", ["--study", "x", "--against", S3]),
        ("seeds", ["--study", "x", "--storage", S3]),
        ("seeds", ["--analyse", S3]),
        ("benchmark", ["--space", S3]),
        ("benchmark", ["--space", "mini_tables", "--storage", S3]),
        ("report", [S3]),
        ("doctor.__main__", [S3]),
        ("export", [S3, "--to", "merged", "--out", "x"]),
        ("export", ["x", "--to", "merged", "--out", S3]),
        ("pretrain", ["--data", S3, "--out", "x"]),
        ("pretrain", ["--data", "x", "--out", S3]),
        ("pretrain", ["--data", "x", "--out", "y", "--exclude", S3]),
        ("card", ["--task", S3]),
        ("card", ["--task", "x", "--backbone", S3]),
    ],
)
def test_every_path_of_every_command_is_checked_alike(
    command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"study.{command}")
    main = (
        getattr(module, "main", None)
        or importlib.import_module(f"{module.__name__}.__main__").main
    )
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "path on this machine or a mounted file system, but got 's3://bucket/x'; mount" in last


@pytest.mark.parametrize(
    ("text", "override", "message"),
    [
        ("task:\n  path: s3://b/x\n", "seeds.init=0", "x.yaml:2: task.path: must be a path on"),
        ("", "task.path=s3://b/x", "--set task.path=s3://b/x: task.path: must be a path on this"),
        (
            "backbone: {name: https://huggingface.co/facebook/opt-125m}",
            "seeds.init=0",
            "for a backbone write its name, facebook/opt-125m; download data and give the folder",
        ),
    ],
)
def test_paths_in_a_space_are_checked_with_their_line(
    text: str, override: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(text or "seeds: {}\n")
    with pytest.raises(InputError) as caught:
        load_spec("x.yaml", [override])
    assert message in str(caught.value)


def test_paths_in_a_benchmark_are_checked_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_text(
        "backbones: [opt-dna-mini]\ntasks: [promoters]\nmethods: [lora]\n"
        "rules:\n  - where: {method: lora}\n    best: s3://bucket/best.yaml\n"
    )
    with pytest.raises(InputError, match=rf"{file}:6: best: must be a path on this machine"):
        load_benchmark(str(file))


def test_a_path_beside_the_yaml_may_have_an_odd_name(tmp_path: Path) -> None:
    (tmp_path / "$x").mkdir()
    (tmp_path / "s.yaml").write_text("task: {path: $x}\n")
    assert load_spec(str(tmp_path / "s.yaml")).task.path == tmp_path / "$x"
