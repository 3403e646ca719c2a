"""Paths that a user gives, on a command line or in a YAML, as paths of this machine."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

from study.errors import InputError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
_DRIVE = re.compile(r"([A-Za-z]):[\\/](.*)", re.DOTALL)
_HUB = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+).*")
_IMPOSSIBLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)


def local_path(given: str, where: str, folders: Sequence[Path] = (Path(),)) -> str:
    """Returns a path with `~` expanded; a relative path stays relative.

    Args:
        given: the path as the user wrote it.
        where: the option or setting, for messages.
        folders: those that a relative path may be relative to.

    Raises:
        InputError: it is empty, too long, or has characters that cannot be shown on a line; or
            nothing is there and it is an address (`s3://`), a Windows path, or has a variable.
    """
    if not given.strip():
        raise InputError(f"{where}: must be a path, but got an empty text; write the path")
    if not given.isprintable():
        raise InputError(
            f"{where}: must be a path of printable characters, but got {ascii(given)[:90]}; "
            "rename the folder, or give a link to it"
        )
    path = os.path.expanduser(given)  # noqa: PTH111 - Path.expanduser raises without a home.
    if not any(_is_there(folder / path, where) for folder in folders) and path[:1] != "/":
        _check_meaning(given, where)
    return path


def _is_there(path: Path, where: str) -> bool:
    try:
        path.lstat()  # Path.exists raises some of these errors.
    except OSError as error:
        if error.errno in _IMPOSSIBLE:
            raise InputError(
                f"{where}: must be a path that the file system accepts, but got "
                f"{str(path)[:60]!r}: {error.strerror}; choose another"
            ) from None
        return False
    return True


def _check_meaning(given: str, where: str) -> None:
    """Refuses a relative path of nothing that has another meaning elsewhere."""
    rule = f"{where}: must be a path on this machine or a mounted file system, but got"
    shown = repr(given if len(given) <= 90 else given[:87] + "...")
    if match := _SCHEME.fullmatch(given):
        raise InputError(f"{rule} {shown}; {_instead(given, *match.groups())}")
    if match := _DRIVE.fullmatch(given):
        rest = match[2].replace("\\", "/")[:90]
        fix = f"in WSL write /mnt/{match[1].lower()}/{rest}"
        raise InputError(f"{rule} the Windows path {shown}; {fix}")
    if "$" in given or given.startswith("~"):
        raise InputError(f"{rule} {shown}, which is not expanded here; write the whole path")


def _instead(given: str, scheme: str, rest: str) -> str:
    if scheme.lower() == "file":
        return f"write /{rest[:90]}"
    if match := _HUB.fullmatch(given):
        return f"for a backbone write its name, {match[1]}; download data and give the folder"
    return "mount it, or download it and give the folder"
