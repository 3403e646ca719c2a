"""How every run of the driver begins: Ray for what is to be run, and a line in the journal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import ray
from rich.console import Console

from study import __version__
from study.engine.execution import start_ray
from study.engine.folder import StudyFolder
from study.engine.journal import VERSION, parse_events
from study.engine.ledger import Ledger
from study.engine.nodes import alive, check_nodes
from study.engine.preparation import warn
from study.engine.preview import print_data
from study.engine.resources import Resources, resources
from study.engine.tracking import end_elsewhere
from study.engine.tracking_address import tracking_address
from study.errors import InputError
from study.models import load_backbone
from study.models.inspect import BackboneInfo
from study.models.portable import portable
from study.spec import StudySpec
from study.training.encoded import EncodedTask

CREATED_WITH = ("torch", "transformers", "ray", "optuna", "mlflow")
"""Distributions whose versions the journal keeps."""


@contextmanager
def ray_for(
    path: Path,
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    address: str | None,
    console: Console,
) -> Iterator[tuple[BackboneInfo, Resources]]:
    """Checks the weights, then holds a Ray; gives what workers know the backbone by, and get.

    Whatever is wrong with the weights is said here, once, and not by every worker.

    Raises:
        InputError: weights or cluster cannot be used.
    """
    load_backbone(
        info,
        num_labels=data.num_labels,
        dtype=spec.backbone.dtype,
        random_seed=spec.backbone.random_seed,
    )
    print_data(console, data)
    info = portable(info)
    start_ray(address)
    try:
        if address is not None:
            check_nodes(path, [(info, spec.backbone.random_seed is None)])
        yield info, resources(spec, alive())
    finally:
        ray.shutdown()


def created_with() -> dict[str, str]:
    """Returns the versions of this package and of what its results depend on."""
    return {"adalora-rs-study": __version__} | {n: metadata.version(n) for n in CREATED_WITH}


def known_of(info: BackboneInfo, data: EncodedTask) -> dict[str, Any]:
    """Returns what a journal keeps of the backbone and the data."""
    return {"data": data.fingerprint(), "commit": info.commit, **data.reports()}


def note_start(ledger: Ledger, tracking_uri: str | None, known: Mapping[str, Any]) -> None:
    """Journals that what is in the folder begins, with what is `known` of it; or that it goes on.

    Warns if it goes on with other versions. What an earlier driver left running where it was
    tracked before, if that is elsewhere, is ended there.
    """
    made: dict[str, Any] = {"tracking": tracking_uri, "created_with": created_with()}
    if ledger.opened:
        warn_of_versions(ledger, made["created_with"])
        before = tracking_address(ledger.folder, None)
        if before != tracking_uri:
            end_elsewhere(ledger.folder, before, ledger.record)
        ledger.note("resumed", version=VERSION, **made)
    else:
        names = {"name": ledger.folder.path.name, "spec": ledger.folder.spec.name}
        ledger.note("study", version=VERSION, **names, **known, **made)


def note_move(ledger: Ledger, tracking_uri: str | None) -> None:
    """Journals that what is over is tracked elsewhere from now on, if that is so."""
    if tracking_address(ledger.folder, None) != tracking_uri:
        note_start(ledger, tracking_uri, {})


def warn_of_versions(ledger: Ledger, now: Mapping[str, str]) -> None:
    """Warns if what is in the folder was begun with other versions than it goes on with."""
    begun = next((e for e in ledger.journal.read() if e["event"] == "study"), {})
    before = {name: v for name, v in begun.get("created_with", {}).items() if v != now.get(name)}
    if before:
        old, new = (", ".join(f"{n} {v.get(n)}" for n in before) for v in (before, now))
        warn(
            f"{ledger.folder.path}: was begun with {old}, goes on with {new}: results may differ "
            "in the last digits"
        )


def check_data(folder: StudyFolder, data: EncodedTask) -> None:
    """Refuses to go on with other data than the study began with; writes nothing.

    Raises:
        InputError: the data have changed, or the journal is damaged.
    """
    if not folder.journal.exists():
        return
    events = parse_events(folder.journal, folder.journal.read_bytes())
    before = next((e.get("data") for e in events if e["event"] == "study"), None)
    if before is not None and before != data.fingerprint():
        raise InputError(
            f"{folder.path}: --resume needs the data that the study was started with, but "
            f"the sequences, labels or tokens of {data.name} have changed; restore them, or start "
            "a study of another --name"
        )
