"""A backbone in another process, perhaps on another machine: what travels, what is found there.

The embedded backbone travels with its files. A hub model is found in the cache of the machine, or
downloaded there, at the commit that was inspected. A folder must be there under its path, with
the same files: shared, or copied.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from study.errors import UnavailableError
from study.models.files import TOKENIZER_FILES, WEIGHT_FILES, fetch, has_weights, model_repository
from study.models.info import EMBEDDED, BackboneInfo

_MIB = 2**20


def portable(info: BackboneInfo) -> BackboneInfo:
    """The same backbone, to be pickled and loaded elsewhere."""
    if info.name in EMBEDDED:
        names = ("config.json", *TOKENIZER_FILES, *WEIGHT_FILES)
        paths = [info.folder / name for name in names if (info.folder / name).is_file()]
        return replace(info, files=tuple((path.name, path.read_bytes()) for path in paths))
    if info.source == str(info.folder):
        return replace(info, fingerprint=_fingerprint(info.folder))
    return replace(info, revision=info.commit or info.revision)


@contextmanager
def found_here(info: BackboneInfo) -> Iterator[BackboneInfo]:
    """The backbone with the paths of this machine; files that it brought lie there until the end.

    Raises:
        UnavailableError: it is not on this machine, or another one is in its place.
    """
    if info.files:
        with TemporaryDirectory(prefix="adalora-rs-study-") as name:
            folder = Path(name)
            for file, content in info.files:
                (folder / file).write_bytes(content)
            yield replace(info, source=name, folder=folder)
    elif info.source == str(info.folder):
        _check_folder(info)
        yield info
    else:
        yield replace(info, folder=fetch(info.source, info.revision, TOKENIZER_FILES))


def check_here(info: BackboneInfo, with_weights: bool) -> None:
    """Checks, without loading any weights, that a portable backbone can be loaded here.

    Raises:
        UnavailableError: it cannot.
    """
    with found_here(info) as found:
        from_hub = found.source != str(found.folder)
        if with_weights and from_hub and not has_weights(found.source, found.revision):
            model_repository(found.source, found.revision).check_connection()


def _check_folder(info: BackboneInfo) -> None:
    there = info.folder.is_dir()
    if there and info.fingerprint in (None, _fingerprint(info.folder)):
        return
    found = "one with other files" if there else "none"
    raise UnavailableError(
        f"backbone {info.name}: {info.folder} must be the same folder on every machine, found "
        f"{found}; put it where all machines see it, or copy it to that path"
    )


def _fingerprint(folder: Path) -> str:
    """A hash of the names, sizes, first and last MiB of the files that a model may consist of."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".txt", ".safetensors", ".bin"):
            size = path.stat().st_size
            digest.update(f"{path.name} {size} ".encode())
            with path.open("rb") as file:
                digest.update(file.read(_MIB))
                file.seek(max(0, size - _MIB))
                digest.update(file.read())
    return digest.hexdigest()
