"""The plan of a study (`--dry-run`), and with `--calibrate` what it costs."""

import os
import time

import psutil
import torch
from rich.console import Console

from study.engine.cluster import running_ray
from study.engine.console.costs import print_costs, print_steps, print_unmeasured
from study.engine.console.lines import print_lines, warn
from study.engine.console.plan import print_plan
from study.engine.estimate.calibration import calibrate
from study.engine.estimate.duration import duration
from study.engine.estimate.memory import memory
from study.engine.nodes import alive
from study.engine.resources import Nodes, Resources, resources
from study.engine.session import check_space
from study.errors import InputError
from study.models.info import BackboneInfo
from study.spec import StudySpec
from study.spec.rungs import rungs
from study.storage.events import WarmStart
from study.training.encoding import EncodedTask


def preview(
    spec: StudySpec,
    info: BackboneInfo,
    data: EncodedTask,
    address: str | None,
    earlier: WarmStart | None = None,
    *,
    schedules: bool = False,
    measure: bool = False,
) -> None:
    """Prints the plan of a study; writes nothing.

    `schedules`: also the schedules at the corners of the space. `measure`: trains for a few steps
    to estimate time and memory; else nothing is trained.

    Raises:
        InputError: with `measure`, no trial fits this machine.
        MemoryError: with `measure`, there is too little memory.
    """
    started = time.time() - psutil.Process().create_time()
    points = check_space(spec, info, data)
    here: Nodes = [{"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}]
    nodes = here
    if address is not None:
        with running_ray(address):
            nodes = alive()
    try:
        trial_resources = resources(spec, nodes)
    except InputError as error:  # A plan for GPUs may be made on a machine without.
        warn(f"no trial would fit here: {error}")
        requested = spec.resources
        trial_resources = Resources(
            requested.cpus_per_trial or 1, requested.gpus_per_trial or 0.0, concurrent=0
        )
    console = Console()
    print_plan(console, spec, info, data, points, rungs(spec), trial_resources, earlier, schedules)
    print_lines(console, [""])
    print_steps(console, spec, points)
    if not measure:
        print_unmeasured(console)
        return
    local = resources(spec, here)
    measured = calibrate(points, info, data, local, local.concurrent)
    concurrent = trial_resources.concurrent
    print_costs(
        console,
        measured,
        duration(spec, measured, concurrent, started),
        memory(measured, local.concurrent, local.device),
        local.concurrent,
    )
