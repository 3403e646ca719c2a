"""Trials that are timed in processes of their own."""

import io
import multiprocessing
from contextlib import redirect_stdout
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from study.engine.estimate import calibration
from study.engine.estimate.memory import memory
from study.engine.resources import Resources
from study.run import main
from study.training.memory import peak_memory_gib
from study.training.timing import Timing
from tests.study.training.tiny_trials import CPU, tiny_backbone, tiny_spec, tiny_task


def test_a_trial_without_enough_memory_is_said_to_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory\nmore")

    monkeypatch.setattr(calibration, "load_backbone", lambda *_, **__: tiny_backbone())
    monkeypatch.setattr(calibration, "time_trial", fails)
    pipe, other = multiprocessing.Pipe()
    pipe.send(([tiny_spec()], tiny_backbone().info, tiny_task(), Resources(1, 0.0, 1)))
    calibration._time_all(other, Barrier(1))
    with pytest.raises(MemoryError, match=r"can't allocate memory$"):
        calibration._received(pipe, None)


@pytest.mark.parametrize(("code", "error"), [(-9, MemoryError), (1, RuntimeError)])
def test_a_process_that_ends_without_a_result_is_an_error(
    code: int, error: type[Exception]
) -> None:
    pipe, other = multiprocessing.Pipe()
    other.close()
    process = SimpleNamespace(join=lambda: None, exitcode=code)
    with pytest.raises(error, match="a process that timed trials"):
        calibration._received(pipe, process)


def test_all_workers_and_the_driver_count_for_the_memory() -> None:
    points = [
        calibration.Point(None, Timing(1.0, 1.0, 1.0, 1.0, gib))  # type: ignore[arg-type]
        for gib in (0.5, 2.0)
    ]
    whole = memory(calibration.Calibration(points, 1.0, 3), 3, CPU)
    assert whole.low < whole.worker == 2.0 < whole.high
    assert whole.total is not None
    assert whole.total > 3 * 2.0 + 0.9 * peak_memory_gib(CPU)


@pytest.mark.process
@pytest.mark.slow
def test_a_calibrated_plan_ends_with_time_and_memory_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [f"--set={one}" for one in ("task.train=32", "task.dev=16", "task.test=16",
                "training.steps=8", "training.reports=2", "adapter.deltaT=2",
                "scheduler.grace_fraction=0.5")]  # fmt: skip
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["--space", "smoke", "--calibrate", "--max-concurrent", "1", *settings]) == 0
    lines = printed.getvalue().splitlines()
    assert [line.split(" ")[0] for line in lines[-5:]] == [
        "steps",
        "time",
        "",
        "memory",
        "measured",
    ]
    assert "one trial on this machine" in lines[-1]
    assert list(tmp_path.iterdir()) == []
