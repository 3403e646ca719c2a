"""The adapters in an environment that has the project's own requirements, without extras."""

import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import adapters

ALONE, ROOT = Path(__file__).with_name("alone.py"), Path(__file__).parents[2]


def required(declared: list[str]) -> dict[str, Distribution]:
    """Returns the packages of requirements, and all that these declare to require here."""
    left, found = [Requirement(line) for line in declared], {}
    while left:
        requirement = left.pop()
        package = distribution(requirement.name)
        own = requirement.name.lower().replace("_", "-")
        key = (own, *sorted(requirement.extras))
        if key in found:
            continue
        found[key] = package
        for line in package.requires or []:
            other = Requirement(line)
            extras = ("", *requirement.extras)
            if other.marker is None or any(other.marker.evaluate({"extra": e}) for e in extras):
                left.append(other)
    return {key[0]: package for key, package in found.items()}


def link(package: Distribution, site: Path) -> None:
    """Links the top-level files and folders of a package into an environment."""
    for name in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
        target = Path(str(package.locate_file(name)))
        if target.exists() and not (site / name).exists():
            (site / name).symlink_to(target)


@pytest.mark.process
def test_import_adapters_needs_no_extra(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    [site] = (tmp_path / "env" / "lib").glob("python*/site-packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = required(project["dependencies"])
    assert {"torch", "safetensors"} <= packages.keys()
    assert not {"jaxtyping", "ray", "transformers"} & packages.keys()
    for package in packages.values():
        link(package, site)
    shutil.copytree(Path(adapters.__file__).parent, site / "adapters")
    python = tmp_path / "env" / "bin" / Path(sys.executable).name
    done = subprocess.run(
        [python, "-I", "-W", "ignore", ALONE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "No module named 'transformers'",
        f"{site / 'adapters' / '__init__.py'} []",
    ]
