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


def names() -> list[str]:
    """The names of the shipped spaces, without `.yaml`."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def find(path_or_name: str) -> tuple[Path, str]:
    """The file that `path_or_name` means, and what to call it in messages.

    A file at that path wins; otherwise a name, with or without `.yaml`, is looked up among the
    shipped spaces.

    Raises:
        InputError: neither exists.
    """
    path, name = Path(path_or_name), path_or_name.removesuffix(".yaml")
    try:
        if path.is_file() or (path.exists() and name not in names()):
            return path, path_or_name
    except OSError as error:
        raise InputError(f"{path_or_name}: must be readable, but {error.strerror}") from error
    if name in names():
        return folder() / f"{name}.yaml", f"search_spaces/{name}.yaml"
    known = f"one of {', '.join(names())}{suggestion(name, names())}"
    raise InputError(f"{path_or_name}: must be an existing YAML file or {known}")
