"""The resources of a trial, and how many trials run at once."""

import pytest

from study.engine.resources import Resources, concurrent_trials, resources
from study.errors import InputError
from tests.study.ledgers import ReadSpec


@pytest.mark.parametrize(
    ("settings", "node", "expected"),
    [
        ([], {"CPU": 8.0}, (1, 0.0, 8)),
        ([], {"CPU": 16.0, "GPU": 4.0}, (1, 1.0, 4)),
        (["resources.gpus_per_trial=0"], {"CPU": 8.0, "GPU": 4.0}, (1, 0.0, 8)),
        (["resources.gpus_per_trial=0.5"], {"CPU": 16.0, "GPU": 2.0}, (1, 0.5, 4)),
        (["resources.gpus_per_trial=0.2"], {"CPU": 99.0, "GPU": 1.0}, (1, 0.2, 5)),
        (["resources.gpus_per_trial=0.1"], {"CPU": 99.0, "GPU": 2.0}, (1, 0.1, 20)),
        (["resources.gpus_per_trial=0.3"], {"CPU": 99.0, "GPU": 1.0}, (1, 0.3, 3)),
        (["resources.gpus_per_trial=2"], {"CPU": 99.0, "GPU": 5.0}, (1, 2.0, 2)),
        (["resources.cpus_per_trial=4"], {"CPU": 10.0}, (4, 0.0, 2)),
        (["resources.max_concurrent=3"], {"CPU": 10.0}, (1, 0.0, 3)),
    ],
)
def test_concurrent_trials_are_as_many_as_fit(
    read_spec: ReadSpec,
    settings: list[str],
    node: dict[str, float],
    expected: tuple[int, float, int],
) -> None:
    found = resources(read_spec(*settings), [node])
    assert (found.cpus, found.gpus, found.concurrent) == expected


@pytest.mark.parametrize(
    ("cpus", "gpus", "fit"),
    [(1, 0.0, 8), (2, 0.0, 3), (3, 0.0, 2), (1, 0.5, 4), (2, 0.5, 2), (1, 1.0, 2), (1, 2.0, 0)],
)
def test_a_trial_fits_into_one_node_and_not_across_two(cpus: int, gpus: float, fit: int) -> None:
    nodes = [{"CPU": 3.0, "GPU": 1.0}, {"CPU": 3.0, "GPU": 1.0}, {"CPU": 2.0}, {"memory": 1e9}]
    assert concurrent_trials(cpus, gpus, nodes) == fit


@pytest.mark.parametrize("setting", ["resources.gpus_per_trial=1", "resources.cpus_per_trial=5"])
def test_a_cluster_whose_nodes_are_too_small_for_one_trial_is_refused(
    read_spec: ReadSpec, setting: str
) -> None:
    with pytest.raises(InputError, match=r"must fit into one node .* up to 4 CPU and 0 GPU"):
        resources(read_spec(setting), [{"CPU": 4.0}, {"CPU": 4.0}])


def test_a_trial_without_a_gpu_trains_on_the_cpu_even_if_cuda_is_available(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Resources(1, 0.0, 1).device.type == "cpu"
    assert Resources(1, 0.25, 1).device.type == "cuda"
