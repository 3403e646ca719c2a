"""Who may import what: the direction of the layers, and each heavy library in its own place."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "study")
COMMANDS = {
    "benchmark",
    "card",
    "cluster",
    "doctor",
    "export",
    "pretrain",
    "report",
    "run",
    "seeds",
}

# A layer may import itself, what stands before it, and `study.errors`.
LAYERS = {
    "adapters": set(),
    "study.paper": set(),
    "study.spec": set(),
    "study.tasks": {"study.spec"},
    "study.models": {"study.spec", "adapters"},
    "study.training": {"study.spec", "study.tasks", "study.models", "adapters"},
    "study.engine": {"study.spec", "study.tasks", "study.models", "study.training", "adapters"},
    "study.analysis": {"study.spec", "study.engine"},
}
# What every layer of `study` may import: published numbers, read with the standard library alone.
ANYWHERE = "study.paper"
# Of the engine, the analysis may read what needs neither Ray nor torch.
READABLE = {f"study.engine.{name}" for name in ("folder", "journal", "race", "record")}
# Beside the commands and the layers: what any of them may use.
SHARED = {"deadline", "errors", "hub"}
HOMES = {
    "ray": ("study/engine/",),
    "optuna": (
        "study/spec/space.py",
        "study/engine/search.py",
        "study/engine/samplers.py",
        "study/engine/optuna_study.py",
        "study/engine/doctor/optuna_journal.py",
        "study/analysis/",
    ),
    "mlflow": ("study/engine/tracking_runs.py",),
    "matplotlib": tuple(
        f"study/analysis/{where}plots.py" for where in ("", "allocation_", "benchmark/", "seeds/")
    ),
    "transformers": ("study/models/", "adapters/trainer_callback.py"),
    "pydantic": ("study/spec/",),
    "ruamel": ("study/spec/",),
}


def sources() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def imports(file: Path) -> set[str]:
    """Returns the dotted names of all modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def layer(module: str) -> str | None:
    found = [name for name in LAYERS if module == name or module.startswith(name + ".")]
    return found[0] if found else None


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("file", sources(), ids=module_of)
def test_imports_go_one_way(file: Path) -> None:
    mine = layer(module_of(file))
    if mine is None:
        return  # A command, or a module that imports no layer.
    for name in imports(file):
        theirs = layer(name)
        if theirs is None:
            root = name.split(".")
            assert root[0] != "study" or name == "study" or root[-1] in SHARED, name
        elif theirs not in (mine, ANYWHERE):
            assert theirs in LAYERS[mine], f"{mine} must not import {name}"
            if mine == "study.analysis" and theirs == "study.engine":
                assert name in READABLE, f"the analysis must not import {name}"


@pytest.mark.parametrize("library", HOMES)
def test_each_library_is_imported_in_its_home_alone(library: str) -> None:
    users = {
        file.relative_to(ROOT).as_posix()
        for file in sources()
        if any(name.split(".")[0] == library for name in imports(file))
    }
    assert users, f"{library} is used nowhere"
    assert all(user.startswith(HOMES[library]) for user in users), users


def test_adapters_import_nothing_of_study() -> None:
    for file in (ROOT / "adapters").rglob("*.py"):
        assert not any(name.split(".")[0] == "study" for name in imports(file)), file


def test_the_papers_numbers_need_the_standard_library_alone() -> None:
    for file in (ROOT / "study" / "paper").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(file)} <= sys.stdlib_module_names, file


def test_there_are_no_other_top_level_packages() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    folders = {line.split("/")[0] for line in tracked.stdout.splitlines() if "/" in line}
    assert folders == {".ci", "adapters", "search_spaces", "study", "tests"}


def test_the_commands_are_the_only_modules_beside_the_layers() -> None:
    modules = {file.stem for file in (ROOT / "study").glob("*.py")}
    modules |= {file.parent.name for file in (ROOT / "study").glob("*/__main__.py")}
    assert modules == COMMANDS | SHARED | {"__init__"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_loads_no_heavy_library(command: str) -> None:
    script = (
        "import sys, runpy\n"
        f"sys.argv = ['study.{command}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('study.{command}', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'ray', 'optuna', 'transformers', 'mlflow', 'pandas', 'sklearn',\n"
        "         'matplotlib', 'datasets'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "LOADED []" in done.stdout
