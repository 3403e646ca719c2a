"""Checks of a study's input and services, made before anything is written."""

import os
import socket
from pathlib import Path

from study.csv_table import listed
from study.deadline import within
from study.engine.console.lines import warn
from study.engine.tokens import check_token
from study.engine.tracking.address import check_tracking
from study.errors import InputError
from study.models.files import has_weights
from study.models.info import BackboneInfo, inspect_backbone
from study.spec import StudySpec
from study.spec.metrics import NEED_EVERY_CLASS
from study.storage.opening import Changes, check_folder
from study.storage.stored import StoredStudy
from study.tasks import Task, load_task
from study.tasks.labels import class_name
from study.training.class_weights import check_class_weights
from study.training.encoding import EncodedTask, encode_task
from study.training.fit import check_fit
from study.training.peft.check import check_peft
from study.training.steps import check_schedules


def check_services(
    path: Path,
    changes: Changes,
    resume: bool,
    tracking_uri: str | None,
    address: str | None,
    cpus: int,
    no_token: bool = False,
) -> StoredStudy:
    """Returns what is stored in the folder; checks it, the tracking server and the Ray cluster.

    Warns on standard error.

    Args:
        path: the study's folder.
        changes: returns how a stored spec differs from the present one.
        resume: whether to resume the study in `path`.
        tracking_uri: an MLflow server or database; None for the one that the study has used, at
            first a database in the folder.
        address: a Ray cluster; None for this machine.
        cpus: CPUs of one trial.
        no_token: whether a cluster that requires no token is accepted.

    Raises:
        InputError: one of them cannot be used.
    """
    stored = check_folder(path, changes, resume)
    for warning in check_tracking(stored, tracking_uri):
        warn(warning)
    check_cluster(address, cpus)
    check_token(address, no_token)
    return stored


def check_cluster(address: str | None, cpus: int) -> None:
    """Checks that a Ray address accepts connections, or that a trial fits this machine.

    Raises:
        InputError: no connection within 1.5 s, the address is one of Ray's client server, or a
            trial needs more CPUs than there are.
    """
    if address is None:
        here = os.cpu_count() or 1
        if cpus > here:
            raise InputError(
                f"resources.cpus_per_trial: a trial must fit this machine's {here} CPUs, but got "
                f"{cpus}; lower --cpus-per-trial"
            )
        return
    if address == "auto":
        return
    if address.startswith("ray://"):
        raise InputError(
            f"--address {address}: the study must run on a node of the cluster, but got an "
            "address of Ray's client; submit it "
            "(ray job submit … -- python -m study.run --address auto …)"
        )
    host, _, port = address.rpartition(":")
    try:
        within(1.5, lambda: socket.create_connection((host, int(port))).close())
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"--address {address}: a Ray cluster must listen at this host:port, but got {error}; "
            "start one with `ray start --head`, or leave --address out to run on this machine"
        ) from None


def prepare_data(spec: StudySpec) -> tuple[BackboneInfo, EncodedTask]:
    """Returns the backbone's description and the tokenised task; warns on standard error.

    Raises:
        InputError: backbone or data cannot be used, they do not fit each other, some trial would
            have no mask event before T, or there is not one weight for each class.
    """
    backbone = spec.backbone
    read = backbone.random_seed is None
    info = inspect_backbone(backbone.name, backbone.revision, with_weights=read)
    check_fit(spec, info)
    task = load_task(spec.task)
    check_schedules(spec, len(task.train))
    check_class_weights(spec.training, task.name, task.num_labels, task.classes)
    check_peft(spec)
    _check_metric(spec, task)
    for warning in task.warnings:
        warn(f"{task.name}: {warning}")
    data = encode_task(spec.task, info, task)
    warn_of_cuts(task.name, data)
    return info, data


def check_weights(
    spec: StudySpec, info: BackboneInfo, data: EncodedTask, stored: StoredStudy
) -> BackboneInfo:
    """Loads the backbone once, tries it, and returns its description with a hash of the weights.

    Warns on standard error.

    Raises:
        InputError: the backbone cannot be used, or is not the one that the study was started with.
    """
    # Here, as this module is also used to check the data, which needs no torch.
    from study.models import check_backbone

    info, remarks = check_backbone(
        info,
        num_labels=data.num_labels,
        dtype=spec.backbone.dtype,
        random_seed=spec.backbone.random_seed,
    )
    for remark in remarks:
        warn(remark)
    opened = stored.opened
    if opened is not None and opened.backbone and info.weights not in (None, opened.backbone):
        raise InputError(
            f"{stored.folder.path}: must be resumed with the weights that the study was started "
            f"with, but got another config.json or other weights of {info.name}; restore them, or "
            "start a study with another --name"
        )
    return info


def check_weights_of_plan(
    spec: StudySpec, info: BackboneInfo, data: EncodedTask, stored: StoredStudy
) -> None:
    """Checks the weights as `check_weights`; warns instead if they would be downloaded for it.

    Raises:
        InputError: as `check_weights`.
    """
    on_hub = info.source != str(info.folder) and spec.backbone.random_seed is None
    if on_hub and not has_weights(info.source, info.revision):
        warn(
            f"backbone {info.name}: the weights were not checked, as they are not in the cache "
            "yet; they are when the study starts"
        )
    else:
        check_weights(spec, info, data, stored)


def warn_of_cuts(name: str, data: EncodedTask) -> None:
    """Warns of sequences that are cut to the maximal number of tokens."""
    assert data.tokens is not None
    for split, counts in data.tokens.splits.items():
        if counts.truncated:
            warn(
                f"{name}: {counts.truncated:.1%} of the {split} sequences have more than "
                f"task.max_length = {data.tokens.max_length} tokens (up to {counts.longest}) and "
                "are cut"
            )


def _check_metric(spec: StudySpec, task: Task) -> None:
    missing = sorted(set(range(task.num_labels)) - set(task.dev.labels))
    for metric in NEED_EVERY_CLASS if missing else ():
        if f"dev_{metric}" in spec.goals.metrics:
            setting = "search.metric" if spec.search.metric == metric else f"dev_{metric}"
            names = listed([class_name(label, task.classes) for label in missing])
            raise InputError(
                f"{setting}: dev must have rows of every class for {metric}, but got none of "
                f"class {names} in {task.name}; choose another metric or split"
            )
