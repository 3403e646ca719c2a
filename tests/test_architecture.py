"""Who may import what: the direction of the layers, and each heavy library in its own place."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from study.__main__ import COMMANDS as LISTED

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "study")
COMMANDS = {
    "benchmark",
    "card",
    "cluster",
    "doctor",
    "export",
    "predict",
    "pretrain",
    "report",
    "run",
    "seeds",
    "serve",
    "status",
}

# A layer may import itself, the layers of its set, and the shared modules.
LAYERS = {
    "adapters": set(),
    "study.paper": set(),
    "study.spec": {"study.paper"},
    "study.tasks": {"study.spec", "study.paper"},
    "study.models": {"study.spec", "adapters"},
    "study.training": {"study.spec", "study.tasks", "study.models", "adapters"},
    "study.storage": {"study.spec"},
    "study.engine": {
        *("study.spec", "study.tasks", "study.models", "study.training", "study.storage"),
        *("study.paper", "adapters"),
    },
    "study.analysis": {"study.spec", "study.storage", "study.paper"},
}
# Used by layers and commands, and import no layer; only commands may import `cli`.
SHARED = {
    *("classification", "cli", "csv_table", "deadline", "errors", "hub", "influence", "paths"),
    "rates",
}
HOMES = {
    "datasets": ("study/tasks/reading/parquet.py",),
    "datasketch": ("study/tasks/near_copies.py",),
    "pyarrow": ("study/tasks/reading/parquet.py",),
    "ray": ("study/engine/",),
    "optuna": (
        "study/spec/space.py",
        "study/engine/scheduling/",
        "study/doctor/optuna_journal.py",
        "study/analysis/",
    ),
    "mlflow": ("study/engine/tracking/",),
    "tensorboardX": ("study/engine/tracking/",),
    "matplotlib": ("study/analysis/",),
    "transformers": ("study/models/", "adapters/trainer_callback/"),
    "pydantic": ("study/spec/",),
    "ruamel": ("study/spec/",),
}


@cache
def sources() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


@cache
def modules() -> set[str]:
    return {module_of(file) for file in sources()}


@cache
def imports(file: Path) -> set[str]:
    """Returns the dotted names of all modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & modules()
            names |= submodules or {node.module}
    return names


def layer(module: str) -> str | None:
    found = [name for name in LAYERS if module == name or module.startswith(name + ".")]
    return found[0] if found else None


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("file", sources(), ids=module_of)
def test_imports_go_one_way(file: Path) -> None:
    own, command = layer(module_of(file)), command_of(module_of(file))
    for name in imports(file):
        other = layer(name)
        if other is not None:
            allowed = {own, *LAYERS[own]} if own else LAYERS.keys() if command else set()
            assert other in allowed, f"{file} must not import {name}"
        elif name.startswith("study."):
            assert name.split(".")[1] in SHARED or command_of(name) == command, name
            cli = name.startswith("study.cli") and not module_of(file).startswith("study.cli.")
            assert command is not None or not cli, f"{file} must not import {name}"


def command_of(module: str) -> str | None:
    """Returns the command that a module belongs to, if it is of one."""
    root, _, rest = module.partition(".")
    name = rest.split(".")[0]
    return name if root == "study" and name in {*COMMANDS, "__main__"} else None


def test_there_are_no_import_cycles() -> None:
    graph = {module_of(file).removesuffix(".__init__"): imports(file) for file in sources()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in sorted(graph[module] & graph.keys() - {module}):
                visit(name, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("library", HOMES)
def test_each_library_is_imported_only_in_its_packages(library: str) -> None:
    users = {
        file.relative_to(ROOT).as_posix()
        for file in sources()
        if any(name.split(".")[0] == library for name in imports(file))
    }
    assert users, f"{library} is used nowhere"
    assert all(user.startswith(HOMES[library]) for user in users), users


@pytest.mark.parametrize("package", ["storage", "analysis"])
def test_neither_ray_nor_torch_is_needed_to_read_a_study(package: str) -> None:
    names = sorted(name for name in modules() if name.startswith(f"study.{package}."))
    script = (
        "import importlib, sys\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "print('LOADED', sorted({'torch', 'ray', 'transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "LOADED []" in done.stdout


def test_adapters_import_nothing_of_study() -> None:
    for file in (ROOT / "adapters").rglob("*.py"):
        assert not any(name.split(".")[0] == "study" for name in imports(file)), file


def test_the_papers_numbers_need_only_the_standard_library() -> None:
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
    folders = {file.parent.name for file in (ROOT / "study").glob("*/__init__.py")}
    modules |= {name for name in folders if layer(f"study.{name}") is None}
    assert modules == COMMANDS | SHARED | {"__init__", "__main__"}


def test_every_command_is_in_the_list_and_ends_without_a_traceback_into_a_closed_pipe() -> None:
    assert LISTED.keys() == COMMANDS
    for name in (*COMMANDS, "__main__"):
        [file] = [
            file
            for file in (ROOT / "study" / f"{name}.py", ROOT / "study" / name / "__main__.py")
            if file.is_file()
        ]
        ending = file.read_text(encoding="utf-8").partition('if __name__ == "__main__":')[2]
        assert ending.strip() in ("exit_with(main)", "script()"), file


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
        "         'matplotlib', 'datasets', 'pyarrow'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "LOADED []" in done.stdout
