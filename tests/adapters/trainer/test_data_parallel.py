"""Two processes with half of every batch each give the results of one with whole batches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.adapters.trainer.data_parallel import CASES, WORLD, train, train_with_trainer

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Returns the results of each rank."""
    folder = tmp_path_factory.mktemp("processes")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("data_parallel.py")), folder],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD)]


def assert_equal(actual, expected, atol):
    assert actual.keys() == expected.keys()
    for key in actual:
        torch.testing.assert_close(actual[key], expected[key], rtol=0, atol=atol, msg=key)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_both_processes_have_the_masks_and_weights_of_a_single_one(processes, case):
    first, second = (results["cases"][CASES.index(case)] for results in processes)
    single = train(*case)
    assert first["trace"] == second["trace"] == single["trace"]
    assert first["missing"] == second["missing"] == single["missing"]
    for one, other, joint in zip(first["kept"], second["kept"], single["kept"], strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, joint)
    assert_equal(first["state"], second["state"], atol=0)
    assert_equal(first["state"], single["state"], atol=1e-6)


def test_the_masks_differ_from_those_of_adalora():
    events = train(*CASES[0])["trace"]
    assert [event["t"] for event in events] == [3, 6, 9, 10]
    assert sum(event["dropped"] + event["reintroduced"] for event in events) > 0


def test_the_trainer_gives_the_results_of_a_single_process_and_resumes(processes, tmp_path):
    first, second = (results["trainer"] for results in processes)
    single = train_with_trainer(tmp_path)
    for part in single:
        assert first[part]["trace"] == second[part]["trace"] == single[part]["trace"]
        assert_equal(first[part]["state"], second[part]["state"], atol=0)
        assert_equal(first[part]["state"], single[part]["state"], atol=1e-6)
        assert_equal(first[part]["state"], first["whole"]["state"], atol=0)
