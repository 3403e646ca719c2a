"""Using a backbone in another process, which may be on another machine.

The files of the embedded backbone are sent along. A hub model is taken from the other machine's
cache, or downloaded there, at the commit that was inspected. A local folder must exist there
under the same path with the same files.
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
    """Returns the info to send: with the files, the fingerprint or the commit."""
    if info.name in EMBEDDED:
        names = ("config.json", *TOKENIZER_FILES, *WEIGHT_FILES)
        paths = [info.folder / name for name in names if (info.folder / name).is_file()]
        return replace(info, files=tuple((path.name, path.read_bytes()) for path in paths))
    if info.source == str(info.folder):
        return replace(info, fingerprint=_fingerprint(info.folder))
    return replace(info, revision=info.commit or info.revision)


@contextmanager
def local_copy(info: BackboneInfo) -> Iterator[BackboneInfo]:
    """Yields the info with the paths of this machine.

    Files that were sent along are written to a temporary folder, which is deleted at the end.

    Raises:
        UnavailableError: the backbone is not on this machine, or differs from the one inspected.
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


def check_available(info: BackboneInfo, with_weights: bool) -> None:
    """Checks that a backbone can be loaded on this machine, without loading weights.

    Raises:
        UnavailableError: it cannot be loaded.
    """
    with local_copy(info) as local:
        from_hub = local.source != str(local.folder)
        if with_weights and from_hub and not has_weights(local.source, local.revision):
            model_repository(local.source, local.revision).check_connection()


def _check_folder(info: BackboneInfo) -> None:
    exists = info.folder.is_dir()
    if exists and info.fingerprint in (None, _fingerprint(info.folder)):
        return
    got = "one with other files" if exists else "none"
    raise UnavailableError(
        f"backbone {info.name}: {info.folder} must be the same folder on every machine, but got "
        f"{got}; put it on storage that all machines share, or copy it to that path"
    )


def _fingerprint(folder: Path) -> str:
    """Returns a hash of the names, sizes, first and last MiB of a model's files."""
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
