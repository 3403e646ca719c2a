"""Studies on several Ray nodes, all on this machine, with GPUs in name only.

Nodes join and die while a study runs; no trial is lost, none runs twice, no GPU has more trials
than fit. Trials wait at the points at which a test acts.
"""

import json
import secrets
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from study.engine import cluster, tuning
from study.engine.authentication import authentication
from study.engine.console.display import Display
from study.engine.driver import SessionStatus
from study.engine.nodes import check_nodes
from study.engine.preparation import prepare_data
from study.engine.session import run_study
from study.engine.worker import TrialWorker
from study.errors import InputError
from study.models.info import EMBEDDED, inspect_backbone
from study.models.portable import portable
from study.spec import load_spec
from study.storage.events import TrialEnded
from study.storage.folder import StudyFolder
from study.storage.record import StudyRecord
from study.storage.stored import StoredStudy

# Ray and its dependencies warn and leave sockets open, which is not tested here.
pytestmark = pytest.mark.filterwarnings("ignore")

TINY = (
    "adapter.deltaT=2",
    "training.steps=6",
    "training.reports=3",
    "training.batch_size=4",
    "task.train=32",
    "task.dev=16",
    "task.test=16",
    "scheduler.name=none",
    "resources.gpus_per_trial=0.5",
)
NODE = {"num_gpus": 1, "object_store_memory": 80 * 2**20}
PATIENCE = 240.0
"""Seconds that the test waits for what must happen; much less where the machine is idle."""


class WaitingWorker(TrialWorker):
    """Says when and where it works; before its second report it waits until it is let go."""

    def step(self) -> dict[str, Any]:
        self._say("begins")
        while self.report == 1 and not (self.folder.path / "go").exists():
            time.sleep(0.05)
        result = super().step()
        self._say("reports")
        return result

    def _say(self, what: str) -> None:
        node = ray.get_runtime_context().get_node_id()
        event = {"what": what, "trial": self.number, "report": self.report, "node": node}
        line = json.dumps(event | {"gpus": ray.get_gpu_ids(), "time": time.time()})
        with (self.folder.path / "reports.jsonl").open("a") as file:
            file.write(line + "\n")


class Nodes:
    """The nodes beside the head: one CPU each, where the head has three."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.others: list[Any] = []

    def add(self, **options: Any) -> None:
        self.others.append(self.cluster.add_node(num_cpus=1, **NODE, **options))

    def kill(self) -> None:
        """Kills the node that was added first, with all that runs on it."""
        self.cluster.remove_node(self.others.pop(0), allow_graceful=False)


@pytest.fixture(scope="module")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the hub's client that seems to contain facebook/opt-125m."""
    home = tmp_path_factory.mktemp("cache")
    model = home / "hub" / "models--facebook--opt-125m"
    commit = "c0ffee" * 6 + "c0ff"
    shutil.copytree(EMBEDDED["opt-dna-mini"], model / "snapshots" / commit)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    return home


@pytest.fixture(scope="module")
def head(hub_cache: Path) -> Iterator[Cluster]:
    """A cluster of one node."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HOME", str(hub_cache))
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("RAY_worker_niceness", "0")
    patch.setenv("OMP_NUM_THREADS", "1")
    node = {"num_cpus": 3, "include_dashboard": False} | NODE
    with authentication({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}):
        cluster = Cluster(initialize_head=True, head_node_args=node)
        # A node that another thread adds cannot ask to be cleaned up at the end of the process.
        cluster._shutdown_at_exit = False
        yield cluster
        cluster.shutdown()
    patch.undo()


@pytest.fixture
def nodes(head: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A head, to which a test adds nodes; they do not outlive the test."""
    monkeypatch.setattr(cluster, "REFRESH_SECONDS", 0.2)
    monkeypatch.setattr(tuning, "TrialWorker", WaitingWorker)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    found = Nodes(head)
    yield found
    ray.shutdown()
    for node in found.others:
        head.remove_node(node)
    head.wait_for_nodes()


def worker_reports(path: Path) -> list[dict[str, Any]]:
    """Returns the reports of the workers so far."""
    file = path / "reports.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def run(nodes: Nodes, path: Path, trials: int, happens: Callable[[], None]) -> StudyRecord:
    """Runs a study while something happens; afterwards nothing is lost and nothing twice."""
    failures: list[BaseException] = []

    def watch() -> None:
        try:
            happens()
        except BaseException as error:
            failures.append(error)
        finally:
            if path.is_dir():
                (path / "go").touch()

    spec = load_spec("smoke", [*TINY, f"search.trials={trials}"])
    data = prepare_data(spec)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        ended = run_study(
            StoredStudy.read(StudyFolder(path)),
            spec,
            *data,
            address=nodes.cluster.address,
            tracking_uri=None,
            display=Display(),
        )
    finally:
        thread.join()
    assert failures == []
    assert ended is SessionStatus.DONE
    stored = StoredStudy.read(StudyFolder(path))
    record = stored.study_record()
    assert [trial.state for trial in record.trials.values()] == ["complete"] * trials
    assert Counter(e.trial for e in stored.events if isinstance(e, TrialEnded)) == Counter(
        range(trials)
    )
    for trial in record.trials.values():
        assert [report.report for report in trial.reports] == [1, 2, 3]
    assert record.winner is not None
    return record


def most_at_once(lines: Sequence[dict[str, Any]]) -> int:
    """Returns the largest number of trials that ran at the same time on one GPU of a node.

    A trial is at work from its first word on a node to its last one there.
    """
    spans: dict[tuple[str, int], list[float]] = {}
    for line in lines:
        assert line["gpus"] == [0]
        spans.setdefault((line["node"], line["trial"]), []).append(line["time"])
    counts = [
        sum(
            other == node and min(times) <= start <= max(times)
            for (other, _), times in spans.items()
        )
        for (node, _), span in spans.items()
        for start in [min(span)]
    ]
    return max(counts)


@pytest.mark.ray
@pytest.mark.slow
def test_trials_spread_over_nodes_that_join_and_die(nodes: Nodes, tmp_path: Path) -> None:
    path = tmp_path / "study"
    journal = StudyFolder(path).journal
    nodes.add()
    killed = []

    def happens() -> None:
        def waiting() -> dict[int, str]:
            return {
                line["trial"]: line["node"] for line in worker_reports(path) if line["report"] == 1
            }

        # Two on the head's GPU, although three CPUs are there, and one on the other node.
        wait_until(lambda: len(waiting()) == 3)
        assert sorted(Counter(waiting().values()).values()) == [1, 2]
        [lonely] = [n for n, count in Counter(waiting().values()).items() if count == 1]
        nodes.add()
        wait_until(lambda: len(set(waiting().values())) == 3)
        killed.extend(trial for trial, node in waiting().items() if node == lonely)
        nodes.kill()
        wait_until(lambda: '"event": "crashed"' in journal.read_text())

    record = run(nodes, path, trials=4, happens=happens)
    assert [trial.crashes for trial in record.trials.values()] == [
        int(number in killed) for number in record.trials
    ]
    assert len({line["node"] for line in worker_reports(path)}) == 3
    assert most_at_once(worker_reports(path)) == 2


@pytest.mark.ray
def test_a_node_without_the_hub_model_in_its_cache_is_reported_before_the_start(
    nodes: Nodes, hub_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub_cache / "hub"))
    backbones = [(portable(inspect_backbone("facebook/opt-125m")), True)]
    ray.init(nodes.cluster.address, log_to_driver=False, logging_level="ERROR")
    check_nodes(tmp_path / "runs" / "study", backbones)
    nodes.add(env_vars={"HF_HOME": str(tmp_path / "empty")})
    one_node = r"^node [^ ]+ \([^ ]+\): backbone.name: facebook/opt-125m must be .* in its cache"
    with pytest.raises(InputError, match=one_node):
        check_nodes(tmp_path / "runs" / "study", backbones)
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.chaos
def test_four_nodes_of_which_one_dies_finish_the_study(nodes: Nodes, tmp_path: Path) -> None:
    path = tmp_path / "study"
    for _ in range(3):
        nodes.add()

    def happens() -> None:
        def waiting() -> set[int]:
            return {line["trial"] for line in worker_reports(path) if line["report"] == 1}

        wait_until(lambda: len(waiting()) == 5)
        nodes.kill()

    record = run(nodes, path, trials=12, happens=happens)
    assert sum(trial.crashes for trial in record.trials.values()) == 1
    assert len({line["node"] for line in worker_reports(path)}) == 4
    assert most_at_once(worker_reports(path)) == 2
