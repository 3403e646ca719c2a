"""Starts or joins Ray, and counts the trials that fit into the cluster."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import ray
from ray.exceptions import AuthenticationError

from study.engine.authentication import authentication
from study.engine.console.display import Display
from study.engine.console.plan import print_data
from study.engine.local_ray import local_ray
from study.engine.nodes import alive, check_nodes
from study.engine.preparation import check_weights
from study.engine.resources import Resources, concurrent_trials, resources
from study.errors import InputError
from study.models.info import BackboneInfo
from study.models.portable import portable
from study.spec import StudySpec
from study.storage.stored import StoredStudy
from study.training.encoding import EncodedTask

RAY_SETTINGS = {
    # Output and files of Ray Tune would repeat the live table and the journal.
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    # The searcher itself suggests no more trials than fit.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
OBJECT_STORE_BYTES = 512 * 2**20
"""Shared memory of a local Ray, which holds the tokenised data of one task."""


@contextmanager
def running_ray(
    address: str | None, store_bytes: int | None = OBJECT_STORE_BYTES
) -> Iterator[None]:
    """Joins the cluster at `address`, or runs Ray on this machine, without a dashboard.

    Ray on this machine requires a new token, a cluster the one that the user has, unless
    RAY_AUTH_MODE is `disabled`. `store_bytes` is the size of a local object store, None for Ray's
    default.

    Raises:
        InputError: Ray cannot start, there is no cluster at `address`, it has another token, or
            other versions of Ray or Python.
    """
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    if address is None:
        with local_ray(store_bytes):
            yield
        return
    with authentication({"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE") or "token"}):
        try:
            _join(address)
            yield
        finally:
            ray.shutdown()


def _join(address: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except SystemExit:  # Ray's own handler of SIGTERM, while it connects.
        raise KeyboardInterrupt from None
    except (ConnectionError, ValueError, AuthenticationError) as error:
        raise InputError(
            f"--address {address}: a Ray cluster with the token given here must be there, but got "
            f"{str(error).splitlines()[0]}; start one, give its token as RAY_AUTH_TOKEN or in "
            "~/.ray/auth_token, or leave --address out to run on this machine"
        ) from None
    except RuntimeError as error:
        message = " ".join(str(error).split())
        if not message.startswith("Version mismatch"):
            raise
        raise InputError(
            f"--address {address}: Ray and Python must have the same versions there and here, but "
            f"got {message}; run the study with the Python that started Ray"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def study_cluster(
    stored: StoredStudy,
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    address: str | None,
    display: Display,
) -> Iterator[tuple[BackboneInfo, Resources]]:
    """Runs a Ray cluster for one study; yields the backbone for workers and a trial's resources.

    The weights are loaded once here, so that an error in them is not repeated by every worker.

    Raises:
        InputError: the weights or the cluster cannot be used, or the weights are not those that
            the study was started with.
    """
    display.phase(f"loading the backbone {info.name}")
    info = portable(check_weights(spec, info, data, stored))
    print_data(display.console, data)
    display.phase("starting Ray" if address is None else f"joining the cluster at {address}")
    with running_ray(address):
        if address is not None:
            check_nodes(stored.folder.path, [(info, spec.backbone.random_seed is None)])
        yield info, resources(spec, alive())


REFRESH_SECONDS = 5.0
"""How long the size of the cluster is cached."""


class ClusterCapacity:
    """Counts the trials that fit into the cluster, whose size may change.

    `shares` are the resources of a trial, each with the most that may run at once (None for no
    limit). With several, the count is the largest over all of them.
    """

    def __init__(self, shares: Iterable[tuple[Resources, int | None]]) -> None:
        self._shares = {(share.cpus, share.gpus, most) for share, most in shares}
        self._counted_at, self._count = 0.0, 1

    def __call__(self) -> int:
        """Returns at least 1: a trial that does not fit now waits for a node."""
        if time.monotonic() - self._counted_at >= REFRESH_SECONDS:
            self._counted_at, nodes = time.monotonic(), alive()
            counts = [
                (concurrent_trials(cpus, gpus, nodes), most) for cpus, gpus, most in self._shares
            ]
            self._count = max(1, *(min(count, most or count) for count, most in counts))
        return self._count
