"""The nodes of a cluster, and whether each can run trials: asked before the first of them starts.

What a node needs: this package in the same version, the study's folder under the same path, and
the backbone. What it does not need: the data and the embedded backbone, which travel.
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
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

PATIENCE = 60.0
"""Seconds in which a node must have answered; it starts a process first."""
PACKAGES = ("torch", "transformers")
"""Distributions that must have the same version on all nodes, beside this one's."""
Needed = Sequence[tuple[BackboneInfo, bool]]
"""Portable backbones, and whether their weights are read."""


def alive() -> Nodes:
    """Returns what the nodes of the cluster have that are alive at present."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def check_nodes(path: Path, backbones: Needed = ()) -> None:
    """Asks every node that could run a trial whether it can run those of the study in `path`.

    Raises:
        InputError: some cannot; one line names them, what they lack, and what to do.
    """
    with _token(path if path.is_dir() else path.parent) as token:
        answers = _ask_all(token, _versions(), backbones)
    nodes: dict[str, list[str]] = {}
    for node, problems in answers:
        for problem in problems:
            nodes.setdefault(problem, []).append(node)
    if nodes:
        faults = [f"{', '.join(sorted(names))}: {problem}" for problem, names in nodes.items()]
        raise InputError(
            f"every node of the cluster must be able to run trials, but {'; '.join(faults)}"
        )


def problems_here(token: Path, versions: Mapping[str, str], backbones: Needed) -> list[str]:
    """Returns what keeps this machine from running trials; empty if nothing does."""
    checks: list[Callable[[], None]] = [
        partial(_check_versions, versions),
        partial(_check_storage, token),
        *(partial(check_available, info, with_weights) for info, with_weights in backbones),
    ]
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
    """Says of an error that the user can mend on which node it is to be mended."""
    try:
        yield
    except InputError as error:
        raise InputError(f"on {this_node()}: {error}") from error


def check_study_folder(folder: StudyFolder) -> None:
    """Checks that a study folder is here, on a node that may have joined after the start.

    Raises:
        InputError: there is none.
    """
    if not folder.spec.is_file():
        raise _not_shared(folder.path, "no study there")


@contextmanager
def _token(storage: Path) -> Iterator[Path]:
    """A file that other nodes see if they share the folder; its content is its name."""
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


def _ask_all(
    token: Path, versions: Mapping[str, str], backbones: Needed
) -> list[tuple[str, list[str]]]:
    """The nodes on which a trial could run, by name and address, and the problems of each."""
    ask = ray.remote(num_cpus=0, max_retries=0)(problems_here)
    needed = ray.put(backbones)
    asked = {}
    for node in ray.nodes():
        if node["Alive"] and node["Resources"].get("CPU"):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[ask.options(scheduling_strategy=there).remote(token, versions, needed)] = node
    ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE)
    answers = [(node, _answer(ref)) for ref, node in asked.items()]
    still = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    return [
        (_name(node["NodeManagerHostname"], node["NodeManagerAddress"]), problems)
        for node, problems in answers
        if node["NodeID"] in still  # One that died meanwhile runs no trial.
    ]


def _answer(ref: "ray.ObjectRef[list[str]]") -> list[str]:
    try:
        found: list[str] = ray.get(ref, timeout=0)
        return found
    except GetTimeoutError:
        ray.cancel(ref)
        return [f"it must answer within {PATIENCE:g} s, but does not; mend it, or remove it"]
    except RayError as error:
        reason = str(error).strip().splitlines()[-1]
        return [
            f"adalora-rs-study {__version__} and what it needs must be installed for the Python "
            f"that runs Ray there, but: {reason}; install it there"
        ]


def _versions() -> dict[str, str]:
    """The versions here. Builds for other devices (2.13.0+cpu) are the same version."""
    others = {name: metadata.version(name).split("+")[0] for name in PACKAGES}
    return {"adalora-rs-study": __version__, **others}


def _check_versions(wanted: Mapping[str, str]) -> None:
    try:
        here = _versions()
    except metadata.PackageNotFoundError as error:
        raise InputError(f"{error.name} must be installed, but is not; install it there") from None
    other = {name: version for name, version in here.items() if version != wanted[name]}
    if other:
        faults = [f"{name} must be {wanted[name]}, found {other[name]}" for name in other]
        raise InputError(f"{', '.join(faults)}; install the same versions on all nodes")


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


def _not_shared(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} must be one folder that all nodes share, found {found}; give a --storage on a "
        "shared file system"
    )


def _not_writable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} must be writable, but: {error.strerror}; mend its rights, or choose another "
        "--storage"
    )


def _name(host: str, address: str) -> str:
    return f"node {host} ({address})"
