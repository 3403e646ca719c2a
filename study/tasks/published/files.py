"""The files of a published task: in a local copy, in the hub's cache, or downloaded into it.

They are found and downloaded by the hub's client, not by `datasets.load_dataset`, which asks the
hub six times about a data set that is in the cache, waits 24 seconds for a hub that does not
answer, and takes neither a copy that `hf download` made nor, offline, the revision asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from study.csv_table import listed
from study.errors import InputError
from study.hub import Repository
from study.tasks.published.catalogue import PublishedTask

if TYPE_CHECKING:
    from study.spec import TaskSpec

T = TypeVar("T")
FORMS = ("{}.csv", "{}.parquet", "{}-00000-of-00001.parquet")
"""Names that the file of a split may have."""


def find_files(task: TaskSpec, published: PublishedTask) -> dict[str, Path]:
    """Returns the file of each split, below `task.path` if given, else of the hub.

    They are those of the first folder that has all of them: one of the task's `places`, or
    `task.path` itself. A data set in the hub's cache is used without a request to the hub.

    Raises:
        InputError: no folder has them all, or the hub or the network refuses.
    """
    if task.path is None:
        return _from_hub(task, published)
    path, places = Path(task.path), tuple(dict.fromkeys((*published.places, ".")))

    def locate(file: str) -> Path | None:
        return path / file if (path / file).is_file() else None

    files = _first_complete(places, published, locate)
    if files is None:
        rule = f"task.path: {path}: {_rule(task, published, places)}"
        fix = "correct task.path, or leave it out to use the files on the hub"
        if not path.is_dir():
            raise InputError(f"{rule}, but got no folder; {fix}")
        entries = listed(sorted(entry.name for entry in path.iterdir())) or "nothing"
        raise InputError(f"{rule}, but got a folder with {entries}; {fix}")
    return files


def _from_hub(task: TaskSpec, published: PublishedTask) -> dict[str, Path]:
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    name, revision = published.repository, task.revision

    def cached(file: str) -> Path | None:
        path = try_to_load_from_cache(name, file, revision=revision, repo_type="dataset")
        return Path(path) if isinstance(path, str) else None

    in_cache = _first_complete(published.places, published, cached)
    if in_cache is not None:
        return in_cache
    instead = "set task.path to a local folder that has it"
    hub = Repository(name, "dataset", revision, f"task.name: {task.name}", instead)
    hub.check_connection()
    files = hub.call(lambda: HfApi().list_repo_files(name, revision=revision, repo_type="dataset"))
    chosen = _first_complete(published.places, published, {file: file for file in files}.get)
    if chosen is None:
        raise InputError(
            f"task.name: {name}: {_rule(task, published, published.places)}, but got"
            f" {listed(sorted(files)) or 'nothing'} on the hub; set task.revision to another one,"
            " or task.path to a local copy"
        )

    def download() -> dict[str, Path]:
        return {
            split: Path(hf_hub_download(name, file, revision=revision, repo_type="dataset"))
            for split, file in chosen.items()
        }

    return hub.call(download)


def _first_complete(
    places: Sequence[str], published: PublishedTask, locate: Callable[[str], T | None]
) -> dict[str, T] | None:
    """Returns the located file of each split in the first of the places that has them all."""
    for place in places:
        located: dict[str, T] = {}
        for split in published.rows:
            for form in FORMS:
                file = locate(PurePosixPath(place, form.format(split)).as_posix())
                if file is not None:
                    located.setdefault(split, file)
        if len(located) == len(published.rows):
            return located
    return None


def _rule(task: TaskSpec, published: PublishedTask, places: Sequence[str]) -> str:
    files = listed([f"{split}.csv" for split in published.rows])
    folders = " or ".join("the folder itself" if place == "." else place for place in places)
    return f"{task.name} must be {files} (or .parquet) in {folders}"
