"""The search spaces that come with the package, found from any working directory."""

from pathlib import Path

import study
from study.errors import InputError
from study.spec.rules import suggestion


def folder() -> Path:
    """The folder of shipped spaces: inside the installed package, or beside it in a checkout."""
    package = Path(study.__file__).resolve().parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def names(kind: str = "") -> list[str]:
    """The names of the shipped spaces, or of another kind ("benchmarks"), without `.yaml`."""
    return sorted(path.stem for path in (folder() / kind).glob("*.yaml"))


def find(path_or_name: str, kind: str = "") -> tuple[Path, str]:
    """The file that `path_or_name` means, and what to call it in messages.

    A file at that path wins; otherwise a name, with or without `.yaml`, is looked up among the
    shipped spaces, or those of another kind.

    Raises:
        InputError: neither exists.
    """
    path, name = Path(path_or_name), path_or_name.removesuffix(".yaml")
    try:
        if path.is_file() or (path.exists() and name not in names(kind)):
            return path, path_or_name
    except OSError as error:
        raise InputError(f"{path_or_name}: must be readable, but {error.strerror}") from error
    if name in names(kind):
        file = folder() / kind / f"{name}.yaml"
        return file, file.relative_to(folder().parent).as_posix()
    known = f"one of {', '.join(names(kind))}{suggestion(name, names(kind))}"
    raise InputError(f"{path_or_name}: must be an existing YAML file or {known}")
