"""Runs with a shared prefix equal, bit for bit, those that train every step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.engine.comparison.runs import ComparisonRun
from study.engine.comparison.shared_prefixes import Prefixes
from study.engine.comparison.worker import ComparisonWorker
from study.storage.folder import StudyFolder
from study.storage.opening import open_folder
from tests.study.engine.comparison.small import ROWS, Prepared, configuration, reports_of, start

LEADER = ComparisonRun.of(configuration(), mask=1, init=2, data=3)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[StudyFolder, StudyFolder]:
    """Two empty folders: one for runs with shared prefixes, one for runs without."""
    shared, separate = (open_folder(tmp_path / name, "{}") for name in ("shared", "separate"))
    return shared, separate


def key(run: ComparisonRun) -> str:
    found = Prefixes(ROWS).key(run)
    assert found is not None
    return found


def weights(worker: ComparisonWorker) -> dict[str, torch.Tensor]:
    assert worker.trial is not None
    return {name: p.clone() for name, p in worker.trial._trained().items()}


def assert_same_as_alone(
    prepared: Prepared,
    folders: tuple[StudyFolder, StudyFolder],
    runs: list[ComparisonRun],
    reports: int = 2,
) -> None:
    """Trains runs with shared prefixes and without; asserts that their reports are equal."""
    for number, run in enumerate(runs):
        shared = start(prepared, folders[0], run, number, key(run))
        begun = 0 if shared.trial is None else shared.trial.step
        assert (begun > 0) == (number > 0), f"run {number} begins at step {begun}"
        separate = start(prepared, folders[1], run, number)
        assert reports_of(shared, reports) == reports_of(separate, reports)
        assert all(map(torch.equal, weights(shared).values(), weights(separate).values()))
        outputs = [np.load(folder.output(number)) for folder in folders]
        assert all(np.array_equal(outputs[0][name], outputs[1][name]) for name in outputs[1].files)


@pytest.mark.parametrize(
    ("mode", "mask", "own"),
    [
        ("zero", 9, ["adapter.p=0.3"]),
        pytest.param("mask", 9, ["adapter.p=0.3"], marks=pytest.mark.slow),
        pytest.param("zero", 9, ["adapter.p=0"], marks=pytest.mark.slow),
        ("mask", 9, ["adapter.p=0"]),
        ("zero", 1, ["adapter.p_reintroduce=0", "adapter.final_mask=deterministic"]),
    ],
)
def test_a_run_with_a_shared_prefix_equals_a_run_without_one(
    mode: str,
    mask: int,
    own: list[str],
    prepared: Prepared,
    folders: tuple[StudyFolder, StudyFolder],
) -> None:
    leader, follower = (
        configuration("best", *settings, f"adapter.prune_mode={mode}") for settings in ([], own)
    )
    runs = [
        ComparisonRun.of(leader, mask=1, init=2, data=3),
        ComparisonRun.of(follower, mask=mask, init=2, data=3),
    ]
    assert_same_as_alone(prepared, folders, runs)


def test_adalora_continues_from_the_prefix_of_a_run_with_random_masks(
    prepared: Prepared, folders: tuple[StudyFolder, StudyFolder], tmp_path: Path
) -> None:
    plain = configuration("adalora").spec
    adapter = plain.adapter.model_dump(exclude={"method", "p", "p_reintroduce", "final_mask"})
    values = plain.model_dump() | {"adapter": adapter | {"method": "adalora"}}
    other = type(configuration())("adalora", type(plain).model_validate(values))
    follower = ComparisonRun.of(other, mask=1, init=2, data=3)
    assert follower.mask is None
    assert_same_as_alone(prepared, folders, [LEADER, follower])


@pytest.mark.parametrize(
    ("settings", "before"),
    [
        pytest.param(("training.reports=8",), 2, marks=pytest.mark.slow),
        (("training.reports=4", "adapter.deltaT=5"), 2),
        pytest.param(("training.reports=2", "adapter.deltaT=5"), 1, marks=pytest.mark.slow),
    ],
)
def test_reports_before_the_first_mask_event_are_repeated(
    settings: tuple[str, ...],
    before: int,
    prepared: Prepared,
    folders: tuple[StudyFolder, StudyFolder],
) -> None:
    runs = [
        ComparisonRun.of(configuration("best", *settings), mask=m, init=2, data=3) for m in (1, 9)
    ]
    count = int(runs[0].spec.training.reports)
    assert_same_as_alone(prepared, folders, runs, count)
    again = start(prepared, folders[0], runs[1], 7, key(runs[1]))
    assert again.report == before


def test_runs_share_a_prefix_unless_they_differ_before_the_first_mask_event() -> None:
    others = {
        "mask": ComparisonRun.of(configuration(), mask=9, init=2, data=3),
        "p": ComparisonRun.of(configuration("b", "adapter.p=0"), mask=1, init=2, data=3),
        "init": ComparisonRun.of(configuration(), mask=1, init=9, data=3),
        "data": ComparisonRun.of(configuration(), mask=1, init=2, data=9),
        "beta1": ComparisonRun.of(configuration("b", "adapter.beta1=0.5"), mask=1, init=2, data=3),
        "lr": ComparisonRun.of(configuration("b", "training.lr=1e-3"), mask=1, init=2, data=3),
        "deltaT": ComparisonRun.of(configuration("b", "adapter.deltaT=2"), mask=1, init=2, data=3),
        "mode": ComparisonRun.of(
            configuration("b", "adapter.prune_mode=mask"), mask=1, init=2, data=3
        ),
    }
    shared = {name for name, run in others.items() if key(run) == key(LEADER)}
    assert shared == {"mask", "p"}


def test_a_run_without_steps_before_its_first_mask_event_shares_no_prefix() -> None:
    at_once = ComparisonRun.of(configuration("a", "adapter.deltaT=1"), mask=1, init=2, data=3)
    assert Prefixes(ROWS).key(at_once) is None


def test_shared_steps_are_in_every_report_after_a_restart(
    prepared: Prepared, folders: tuple[StudyFolder, StudyFolder]
) -> None:
    follower = ComparisonRun.of(configuration(), mask=9, init=2, data=3)
    first = start(prepared, folders[0], LEADER, 0, key(LEADER))
    assert "metrics/shared_steps" not in first.step()
    result = start(prepared, folders[0], follower, 1, key(follower)).step()
    assert "metrics/dev_mcc" not in result  # Only the last report evaluates.
    assert result["metrics/shared_steps"] == 2
    assert result["metrics/shared_seconds"] > 0
    restarted = start(prepared, folders[0], follower, 1, key(follower))
    repeated, last = restarted.step(), restarted.step()
    assert repeated["metrics/shared_seconds"] == result["metrics/shared_seconds"]
    assert (last["report"], last["metrics/shared_steps"]) == (2, 2)
    assert {"metrics/dev_mcc", "metrics/test_mcc"} <= last.keys()


def test_a_damaged_prefix_is_set_aside_and_the_run_trains_all_steps(
    prepared: Prepared, folders: tuple[StudyFolder, StudyFolder]
) -> None:
    shared, separate = folders
    start(prepared, shared, LEADER, 0, key(LEADER)).step()
    file = shared.prefix(key(LEADER))
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 256] = bytes(byte ^ 0xFF for byte in data[middle : middle + 256])
    file.write_bytes(data)
    follower = ComparisonRun.of(configuration(), mask=9, init=2, data=3)
    worker = start(prepared, shared, follower, 1, key(follower))
    result: dict[str, Any] = worker.step()
    assert "is damaged and was set aside" in result["warnings"][0]
    assert file.with_suffix(".damaged").exists()
    assert file.exists()  # Saved again, for the next run.
    expected = reports_of(start(prepared, separate, follower))
    assert reports_of(worker, 1) == expected[1:]


def test_a_restarted_run_that_begins_after_its_first_report_saves_no_prefix(
    prepared: Prepared, folders: tuple[StudyFolder, StudyFolder]
) -> None:
    many = configuration("best", "training.reports=8", "adapter.deltaT=5")
    run = ComparisonRun.of(many, mask=1, init=2, data=3)
    first = start(prepared, folders[0], run)
    first.step(), first.step()
    second = start(prepared, folders[0], run, prefix=key(run))
    reports_of(second, 6)
    assert not folders[0].prefix(key(run)).exists()
