"""Everything that can be wrong with a study's input, checked before anything is written."""

import os
import socket
import sys
from pathlib import Path

from study.deadline import within
from study.engine.folder import check_folder
from study.engine.tracking import check_tracking_uri
from study.errors import InputError
from study.models.inspect import BackboneInfo, inspect_backbone
from study.models.tokenization import load_tokenizer
from study.spec import StudySpec
from study.tasks import Split, Task, load_task
from study.training.encoded import EncodedSplit, EncodedTask, encode_split
from study.training.steps import check_schedules


def check_services(
    path: Path, spec: StudySpec, resume: bool, tracking_uri: str | None, address: str | None
) -> None:
    """Checks the study folder, the tracking server and the Ray cluster.

    Raises:
        InputError: one of them cannot be used.
    """
    check_folder(path, spec, resume)
    if tracking_uri is not None:
        check_tracking_uri(tracking_uri)
    check_cluster(spec, address)


def check_cluster(spec: StudySpec, address: str | None) -> None:
    """Checks that something answers at a Ray address, or that a trial fits this machine.

    Raises:
        InputError: nothing answers within 1.5 s, or a trial asks for more CPUs than there are.
    """
    if address is None:
        asked, here = spec.resources.cpus_per_trial or 1, os.cpu_count() or 1
        if asked > here:
            raise InputError(
                f"resources.cpus_per_trial: a trial must fit this machine's {here} CPUs, but asks "
                f"for {asked}; lower --cpus-per-trial"
            )
        return
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        within(1.5, lambda: socket.create_connection((host, int(port))).close())
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"--address {address}: a Ray cluster must answer at this host:port, but: {error}; "
            "start one with `ray start --head`, or leave --address out to run on this machine"
        ) from None


def prepare_data(spec: StudySpec) -> tuple[BackboneInfo, EncodedTask]:
    """Finds the backbone, reads the task and tokenises it; warns on standard error.

    Raises:
        InputError: backbone or data cannot be used, they do not fit each other, or some trial
            would have no mask event before T.
    """
    backbone = spec.backbone
    read = backbone.random_seed is None
    info = inspect_backbone(backbone.name, backbone.revision, with_weights=read)
    task = load_task(spec.task)
    check_schedules(spec, len(task.train))
    _check_metric(spec, task)
    for warning in task.warnings:
        warn(f"{task.name}: {warning}")
    splits = {name: _encode(spec, info, task, name, split) for name, split in task.splits()}
    return info, EncodedTask(task.name, task.num_labels, load_tokenizer(info).pad_id, **splits)


def _check_metric(spec: StudySpec, task: Task) -> None:
    missing = sorted(set(range(task.num_labels)) - set(task.dev.labels))
    if spec.search.metric == "auc" and missing:
        raise InputError(
            f"search.metric: auc needs every class in dev, but {task.name} has no row of class "
            f"{', '.join(map(str, missing))} there; choose another metric or another split"
        )


def _encode(
    spec: StudySpec, info: BackboneInfo, task: Task, name: str, split: Split
) -> EncodedSplit:
    tokenizer = load_tokenizer(info)
    try:
        rows = tokenizer(split.sequences)
    except InputError as error:
        raise InputError(f"{task.name}, {name}: {error}") from None
    longest = max(len(row) for row in rows)
    limit = spec.task.max_length or longest
    if info.max_positions is not None and limit > info.max_positions:
        raise InputError(
            f"task.max_length: sequences must fit the {info.max_positions} positions of "
            f"{info.name}, but {name} of {task.name} has up to {longest} tokens"
            + (f" and max_length is {limit}" if spec.task.max_length else "")
            + f"; set task.max_length to {info.max_positions} to cut them, or use a backbone with "
            "more positions"
        )
    cut = sum(len(row) > limit for row in rows)
    if cut:
        warn(
            f"{task.name}: {cut / len(rows):.1%} of the {name} sequences have more than "
            f"task.max_length = {limit} tokens (up to {longest}) and are cut"
        )
    return encode_split([tokenizer.cut(row, limit) for row in rows], split.labels)


def warn(message: str) -> None:
    """Prints a warning on standard error."""
    print(f"warning: {message}", file=sys.stderr)  # noqa: T201
