"""Two processes with half of every batch each train as one does with the whole of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.adapters.data_parallel import CASES, WORLD, train, train_with_trainer

# The processes that train in parallel.
pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """What each of the processes saved."""
    folder = tmp_path_factory.mktemp("processes")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    running = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("data_parallel.py")), str(rank), folder],
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(WORLD)
    ]
    try:
        outputs = [process.communicate(timeout=240)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert not any(process.returncode for process in running), "\n".join(outputs)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD)]


def assert_equal(mine, theirs, atol):
    assert mine.keys() == theirs.keys()
    for key in mine:
        torch.testing.assert_close(mine[key], theirs[key], rtol=0, atol=atol, msg=key)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_all_processes_have_the_masks_and_weights_of_one(processes, case):
    first, second = (results["cases"][CASES.index(case)] for results in processes)
    alone = train(*case)
    assert first["trace"] == second["trace"] == alone["trace"]
    assert first["missing"] == second["missing"] == alone["missing"]
    for one, other, joint in zip(first["kept"], second["kept"], alone["kept"], strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, joint)
    assert_equal(first["state"], second["state"], atol=0)
    assert_equal(first["state"], alone["state"], atol=1e-6)


def test_the_masks_had_chances_to_differ():
    events = train(*CASES[0])["trace"]
    assert [event["t"] for event in events] == [3, 6, 9, 10]
    assert sum(event["dropped"] + event["reintroduced"] for event in events) > 0


def test_the_trainer_does_so_too_and_resumes(processes, tmp_path):
    first, second = (results["trainer"] for results in processes)
    alone = train_with_trainer(tmp_path)
    for part in alone:
        assert first[part]["trace"] == second[part]["trace"] == alone[part]["trace"]
        assert_equal(first[part]["state"], second[part]["state"], atol=0)
        assert_equal(first[part]["state"], alone[part]["state"], atol=1e-6)
        assert_equal(first[part]["state"], first["whole"]["state"], atol=0)
