"""Ray itself: started here or joined at an address, and how many trials fit into it."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from rich.console import Console

from study.engine.console.plan import print_data
from study.engine.nodes import alive, check_nodes
from study.engine.resources import Resources, resources, room
from study.errors import InputError
from study.models import load_backbone
from study.models.info import BackboneInfo
from study.models.portable import portable
from study.spec import StudySpec
from study.training.encoding import EncodedTask


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


# What Ray Tune prints, logs and saves on its own would repeat the journal and the live table.
RAY_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    # The searcher itself hands out no more than fit.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LOCAL_HEAD = {
    # One that has died does not come back: the driver ends, to be resumed.
    "gcs_rpc_server_reconnect_timeout_s": 10,
    # One that is slow to answer, on a machine with much else to do, is not dead.
    "health_check_failure_threshold": 100,
}
OBJECT_STORE_BYTES = 512 * 2**20
"""Shared memory of a local Ray: the tokenised data of one task is all that goes through it."""


def start_ray(address: str | None, store_bytes: int | None = OBJECT_STORE_BYTES) -> None:
    """Joins the cluster at `address`, or starts a local one without a dashboard.

    The ports of a local one ask for a token, as Ray has it. `store_bytes` is the size of its
    object store; None leaves that to Ray.

    Raises:
        InputError: there is no cluster at `address`, or one with other versions.
    """
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    _connect(address, store_bytes)
    # Slurm and Kubernetes end a job by SIGTERM; Ray's own handler would end in a stack trace.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))


def _connect(address: str | None, store_bytes: int | None) -> None:
    common = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        # "local" keeps Ray from joining a cluster that happens to run on this machine.
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=store_bytes,
            _system_config=LOCAL_HEAD,
            **common,
        )
        return
    try:
        ray.init(address=address, **common)
    except (ConnectionError, ValueError) as error:
        raise InputError(
            f"--address {address}: a Ray cluster must answer there, but: "
            f"{str(error).splitlines()[0]}; start one with `ray start --head`, give its "
            "RAY_AUTH_TOKEN if it has one, or leave --address out to run on this machine"
        ) from None
    except RuntimeError as error:
        found = " ".join(str(error).split())
        if not found.startswith("Version mismatch"):
            raise
        raise InputError(
            f"--address {address}: Ray and Python must have the same versions there and here, but "
            f"{found}; run the study with the Python that started Ray"
        ) from None


LOOK_EVERY = 5.0
"""Seconds after which the cluster is asked again how large it is."""


class ClusterCapacity:
    """How many trials fit into the cluster, which may grow and shrink meanwhile.

    `shares` are what trials get, each with how many may run at once (None is no limit); where
    they differ, the most that fit of any.
    """

    def __init__(self, shares: Iterable[tuple[Resources, int | None]]) -> None:
        self._shares = {(share.cpus, share.gpus, most) for share, most in shares}
        self._looked, self._room = 0.0, 1

    def __call__(self) -> int:
        """Returns at least 1: a trial that does not fit at present waits for its node."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            self._looked, nodes = time.monotonic(), alive()
            fit = [(room(cpus, gpus, nodes), most) for cpus, gpus, most in self._shares]
            self._room = max(1, *(min(many, most or many) for many, most in fit))
        return self._room
