"""Checks, before the first trial starts, that every node of a cluster can run trials.

A node needs this package in the same version, the study's folder at the same path, and the
backbone. The data and the embedded backbone are sent to it. Ray must require a token there.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from uuid import uuid4

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study import __version__
from study.engine.resources import Nodes
from study.errors import InputError
from study.models.info import BackboneInfo
from study.models.portable import check_available
from study.storage.folder import StudyFolder

TIMEOUT = 60.0
"""Seconds in which a node must respond; it starts a process first."""
PACKAGES = ("torch", "transformers")
"""Distributions that, like this package, must have the same version on all nodes."""
Backbones = Sequence[tuple[BackboneInfo, bool]]
"""Portable backbones, each with whether its weights are read."""


def alive() -> Nodes:
    """Returns the resources of the nodes of the cluster that are alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def check_nodes(path: Path, backbones: Backbones = ()) -> None:
    """Checks that every node with a CPU can run the trials of the study in `path`.

    All nodes must require a token if this process has RAY_AUTH_MODE=token.

    Raises:
        InputError: some cannot; the message lists the nodes with their problems and fixes.
    """
    with _token(path if path.is_dir() else path.parent) as token:
        checked = _check_all(token, _versions(), backbones)
    nodes: dict[str, list[str]] = {}
    for node, problems in checked:
        for problem in problems:
            nodes.setdefault(problem, []).append(node)
    if nodes:
        raise InputError(
            "; ".join(f"{', '.join(sorted(names))}: {problem}" for problem, names in nodes.items())
        )


def problems_here(token: Path, versions: Mapping[str, str], backbones: Backbones) -> list[str]:
    """Returns why this machine cannot run trials; empty if it can."""
    checks: list[Callable[[], None]] = [
        partial(_check_versions, versions),
        partial(_check_storage, token),
        *(partial(check_available, info, with_weights) for info, with_weights in backbones),
    ]
    return _problems(checks)


def authentication_problems_here() -> list[str]:
    """Returns what is wrong with the token of Ray on this machine; empty if it requires one.

    Ray gives its own setting to the processes that it starts.
    """
    return _problems([_check_authentication])


def _problems(checks: Iterable[Callable[[], None]]) -> list[str]:
    problems = []
    for check in checks:
        try:
            check()
        except InputError as error:
            problems.append(str(error))
    return problems


def this_node() -> str:
    """Returns the name and address of the node that this process runs on."""
    return _name(socket.gethostname(), ray.util.get_node_ip_address())


@contextmanager
def naming_the_node() -> Iterator[None]:
    """Adds the name of this node to an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"on {this_node()}: {error}") from error


def check_study_folder(folder: StudyFolder) -> None:
    """Checks that a study folder exists on this node, which may have joined after the start.

    Raises:
        InputError: it does not exist.
    """
    if not folder.spec.is_file():
        raise _not_shared(folder.path, "no study there")


@contextmanager
def _token(storage: Path) -> Iterator[Path]:
    """Yields a file that other nodes see if they share the folder; its content is its name."""
    token = storage / f".cluster-check-{uuid4().hex}"
    try:
        storage.mkdir(parents=True, exist_ok=True)
        token.write_text(token.name, encoding="utf-8")
    except OSError as error:
        raise _not_writable(storage, error) from None
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


def _check_all(
    token: Path, versions: Mapping[str, str], backbones: Backbones
) -> list[tuple[str, list[str]]]:
    """Returns the problems of every node, by its name and address."""
    remote = ray.remote(num_cpus=0, max_retries=0)
    check, check_authentication = remote(problems_here), remote(authentication_problems_here)
    shared = ray.put(backbones)
    pending = {}
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        there = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)}
        if os.environ.get("RAY_AUTH_MODE") == "token":
            pending[check_authentication.options(**there).remote()] = node
        if node["Resources"].get("CPU"):
            pending[check.options(**there).remote(token, versions, shared)] = node
    ray.wait(list(pending), num_returns=len(pending), timeout=TIMEOUT)
    results = [(node, _result(ref)) for ref, node in pending.items()]
    still_alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    return [
        (_name(node["NodeManagerHostname"], node["NodeManagerAddress"]), problems)
        for node, problems in results
        if node["NodeID"] in still_alive  # A node that died meanwhile runs no trial.
    ]


def _result(ref: "ray.ObjectRef[list[str]]") -> list[str]:
    try:
        problems: list[str] = ray.get(ref, timeout=0)
        return problems
    except GetTimeoutError:
        ray.cancel(ref)
        return [
            f"the node must respond within {TIMEOUT:g} s, but got no response; repair or remove it"
        ]
    except RayError as error:
        reason = str(error).strip().splitlines()[-1]
        return [
            f"adalora-rs-study {__version__} and its dependencies must be installed for "
            f"the Python that runs Ray there, but got {reason}; install it there"
        ]


def _versions() -> dict[str, str]:
    """Returns the versions here, without build tags for devices (2.13.0+cpu)."""
    others = {name: metadata.version(name).split("+")[0] for name in PACKAGES}
    return {"adalora-rs-study": __version__, **others}


def _check_versions(expected: Mapping[str, str]) -> None:
    try:
        here = _versions()
    except metadata.PackageNotFoundError as error:
        raise InputError(
            f"{error.name}: must be installed, but got no such package; install it there"
        ) from None
    other = {name: version for name, version in here.items() if version != expected[name]}
    if other:
        faults = [f"{name} must be {expected[name]}, but got {other[name]}" for name in other]
        raise InputError(
            f"installed versions: {', '.join(faults)}; install the same versions on all nodes"
        )


def _check_authentication() -> None:
    mode = os.environ.get("RAY_AUTH_MODE", "disabled")
    if mode != "token":
        raise InputError(
            "RAY_AUTH_MODE: must be token where Ray is started, as without it anyone who reaches "
            f"the node can run code there, but got {mode}; start Ray with a token (see "
            "study/cluster/README.md), or give --no-token"
        )


def _check_storage(token: Path) -> None:
    try:
        there = token.read_text(encoding="utf-8") == token.name
    except OSError:
        there = False
    if not there:
        raise _not_shared(token.parent, "another folder or none")
    own = token.with_name(f"{token.name}-{uuid4().hex}")
    try:
        own.touch()
        own.unlink()
    except OSError as error:
        raise _not_writable(token.parent, error) from None


def _not_shared(path: Path, content: str) -> InputError:
    return InputError(
        f"{path}: must be a folder that all nodes share, but got {content}; give a --storage on a "
        "shared file system"
    )


def _not_writable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: must be writable, but got {error.strerror}; change its permissions, or choose "
        "another --storage"
    )


def _name(host: str, address: str) -> str:
    return f"node {host} ({address})"
