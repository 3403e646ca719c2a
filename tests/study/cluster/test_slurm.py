"""The batch script: its requests to Slurm, and its calls in order, with stubs of the commands."""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.cluster.__main__ import REQUESTS, main

STUDY = ("--", "--space", "adalora_rs", "--storage", "/shared/runs")
STUB = Path(__file__).with_name("stub.sh")
Render = Callable[..., str]


@pytest.fixture
def render(capsys: pytest.CaptureFixture[str]) -> Render:
    """(*arguments) -> the script for them."""

    def print_script(*arguments: str) -> str:
        assert main(["slurm", *arguments]) == 0
        return capsys.readouterr().out

    return print_script


class Job:
    """A batch script among stand-ins for Slurm, Ray and Python."""

    def __init__(self, folder: Path, script: str, nodes: int, **environment: str) -> None:
        self.calls_file = folder / "calls"
        self.calls_file.write_text("")
        (folder / "bin").mkdir(exist_ok=True)
        for name in ("srun", "scontrol", "ray", "python"):
            (folder / "bin" / name).unlink(missing_ok=True)
            (folder / "bin" / name).symlink_to(STUB)
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        names = " ".join(f"n{number}" for number in range(1, nodes + 1))
        stubs = {"NODES": names, "NODES_STARTED_BY": str(min(nodes, 2))}
        stubs |= {"CALLS": str(self.calls_file), "PATH": path}
        slurm = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": f"n[1-{nodes}]"}
        (folder / "job.sh").write_text(script)
        self.process = subprocess.Popen(
            ["bash", str(folder / "job.sh")], env=os.environ | slurm | stubs | environment
        )

    def calls(self) -> list[list[str]]:
        return [shlex.split(line) for line in self.calls_file.read_text().splitlines()]

    def wait(self) -> int:
        return self.process.wait(timeout=30)

    def wait_for(self, beginning: list[str]) -> None:
        deadline = time.monotonic() + 30
        while not any(call[: len(beginning)] == beginning for call in self.calls()):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """(script, nodes, **environment) -> the job, which does not outlive the test."""
    jobs: list[Job] = []

    def run(script: str, nodes: int, **environment: str) -> Job:
        jobs.append(Job(tmp_path, script, nodes, **environment))
        return jobs[-1]

    yield run
    for job in jobs:
        job.process.kill()
        job.process.wait()


def test_the_job_requests_the_given_resources(render: Render) -> None:
    script = render(
        "--nodes", "2", "--gpus-per-node", "4", "--cpus-per-node", "16", "--time", "1-12:00:00",
        "--partition", "gpu,gpu_long", "--account", "lab-1", "--setup", "module load python",
        "--", "--space", "adalora_rs", "--storage", "/shared/runs",
    )  # fmt: skip
    asked = [line.removeprefix("#SBATCH ") for line in script.splitlines() if "#SBATCH" in line]
    assert set(asked) == {
        "--job-name=adalora-rs", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=16",
        "--gpus-per-node=4", "--time=1-12:00:00", "--partition=gpu,gpu_long", "--account=lab-1",
        "--output=adalora-rs-%j.log", "--open-mode=append", "--requeue", "--no-kill",
        "--signal=B:USR1@120",
    }  # fmt: skip
    lines = script.splitlines()
    assert lines.index("module load python") < lines.index("set -u")
    few = render("--time", "60", *STUDY)
    optional = ("--gpus-per-node", "gres", "log-dir", *REQUESTS)
    assert not [word for word in optional if f"--{word}" in few]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--mem=64G", "--mem=64G"),
        ("--mem=0", "--mem=0"),
        ("--qos=long-1", "--qos=long-1"),
        ("--gres=gpu:a100:4,nvme:1", "--gres=gpu:a100:4,nvme:1"),
        ("--constraint=[a100|h100]&ib", "--constraint=[a100|h100]&ib"),
        ("--exclude=n1,n2", "--exclude=n1,n2"),
        ("--reservation=course", "--reservation=course"),
    ],
)
def test_further_requests_become_lines_of_the_script(
    render: Render, arguments: str, line: str
) -> None:
    assert f"#SBATCH {line}\n" in render("--time", "60", arguments, *STUDY)


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [("gpu", 1), ("gpu:3", 3), ("gpu:v100:2,gpu:a100:4", 6), ("gpu:a100", 1), ("nvme:2", 0)],
)
def test_the_gpus_of_gres_are_rays(render: Render, gres: str, gpus: int) -> None:
    script = render("--time", "60", "--gres", gres, *STUDY)
    assert f"gpus=${{SLURM_GPUS_ON_NODE:-{gpus}}}" in script
    assert "--gpus-per-node" not in script


def test_the_log_is_written_to_the_given_folder(render: Render, tmp_path: Path) -> None:
    for name, written in (("logs", "logs"), ("my 50% logs", "my 50%% logs")):
        (tmp_path / name).mkdir()
        script = render("--time", "60", "--log-dir", str(tmp_path / name), *STUDY)
        [line] = [line for line in script.splitlines() if line.startswith("#SBATCH --output")]
        quote = '"' if " " in name else ""
        path = f"{tmp_path}/{written}/adalora-rs-%j.log"
        assert line == f"#SBATCH --output={quote}{path}{quote}"


def test_options_of_sbatch_decide_what_ray_gets(
    tmp_path: Path, render: Render, start: Callable[..., Job]
) -> None:
    script = render("--gpus-per-node", "2", "--time", "60", *STUDY)
    granted = {"SLURM_CPUS_PER_TASK": "32", "SLURM_GPUS_ON_NODE": "1"}
    job = start(script, nodes=2, **granted)
    assert job.wait() == 0
    calls = {call[0]: call for call in job.calls()[:2]}
    assert {"--num-cpus=32", "--num-gpus=1"} <= set(calls["ray"])
    assert {"--num-cpus=32", "--num-gpus=1", "--cpus-per-task=32"} <= set(calls["srun"])


def test_the_study_runs_between_the_start_and_the_end_of_ray(
    tmp_path: Path, render: Render, start: Callable[..., Job]
) -> None:
    storage = tmp_path / "it's $HOME"
    study = ["--space", "smoke", "--storage", str(storage), "--set", "task.train=64"]
    options = ["--nodes", "3", "--gpus-per-node", "2", "--cpus-per-node", "4", "--time", "60"]
    script = render(*options, "--", *study)
    job = start(script, nodes=3)
    assert job.wait() == 0
    calls = job.calls()
    called = {call[0]: call for call in calls[:3]}
    head, workers, driver = called["ray"], called["srun"], called["python"]
    assert calls.index(driver) == 2
    assert head[:4] == ["ray", "start", "--head", "--block"]
    assert {"--port=24711", "--dashboard-host=127.0.0.1", "--num-gpus=2"} <= set(head)
    assert head[-2:] == ["token", "a-token"]
    assert workers[:4] == ["srun", "--relative=1", "--nodes=2", "--ntasks=2"]
    assert {"--cpus-per-task=4", "--export=ALL"} <= set(workers)
    assert workers[workers.index("ray") :] == [
        "ray", "start", "--block", "--address=10.0.0.1:24711", "--num-cpus=4", "--num-gpus=2",
    ]  # fmt: skip
    assert driver == ["python", "-m", "study.run", *study, "--address", "10.0.0.1:24711"]
    assert sorted(calls[3:]) == [["ray", "told", "to", "stop"], ["srun", "told", "to", "stop"]]

    (storage / "smoke").mkdir(parents=True)
    (storage / "smoke" / "spec.yaml").touch()
    again = start(script, nodes=3)
    assert again.wait() == 0
    assert [*driver, "--resume"] in again.calls()


@pytest.mark.parametrize(
    ("sent", "queued_again"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)]
)
def test_the_study_is_interrupted_before_the_time_limit_and_queued_again(
    tmp_path: Path,
    render: Render,
    start: Callable[..., Job],
    sent: signal.Signals,
    queued_again: bool,
) -> None:
    script = render("--time", "60", "--", "--space", "smoke", "--storage", str(tmp_path))
    job = start(script, nodes=1, LONG="yes")
    job.wait_for(["python", "-m", "study.run"])
    job.process.send_signal(sent)
    assert job.wait() == 130
    ends = job.calls()[-4:]
    assert ["python", "told", "to", "stop"] in ends
    assert ["ray", "told", "to", "stop"] in ends
    assert (job.calls()[-1] == ["scontrol", "requeue", "4711"]) is queued_again


def test_a_job_whose_time_ends_before_the_study_starts_is_queued_again(
    tmp_path: Path, render: Render, start: Callable[..., Job]
) -> None:
    script = render("--time", "60", "--", "--space", "smoke", "--storage", str(tmp_path))
    (tmp_path / "hold").touch()
    job = start(script, nodes=1, LONG="yes", HOLD=str(tmp_path / "hold"))
    job.wait_for(["ray", "start"])
    job.process.send_signal(signal.SIGUSR1)
    (tmp_path / "hold").unlink()
    assert job.wait() >= 128
    assert job.calls()[-1] == ["scontrol", "requeue", "4711"]
    assert ["ray", "told", "to", "stop"] in job.calls()


def test_the_script_passes_bash_and_shellcheck(render: Render) -> None:
    script = render("--nodes", "2", "--time", "60", "--", "--space", "smoke", "--storage", "/it's")
    checkers = [["bash", "-n"]]
    checkers += [["shellcheck", "-"]] if shutil.which("shellcheck") else []
    for checker in checkers:
        done = subprocess.run(checker, input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_benchmark_can_be_launched(render: Render) -> None:
    script = render(
        "--time", "60", "--benchmark", "--", "--space", "mini_tables", "--storage", "/shared/runs"
    )
    assert "python -m study.benchmark --space mini_tables --storage /shared/runs" in script
    assert "[ -e /shared/runs/mini_tables/spec.yaml ]" in script
