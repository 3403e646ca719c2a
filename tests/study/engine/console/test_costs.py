"""What a plan says of steps, time and memory."""

import io

from rich.console import Console

from study.engine.console.costs import print_costs, print_steps
from study.engine.estimate.calibration import Calibration, Point
from study.engine.estimate.duration import Duration
from study.engine.estimate.memory import Memory
from study.models import empty_backbone
from study.models.info import inspect_backbone
from study.spec import load_spec
from study.training.forecast import Forecast, forecast
from study.training.timing import Timing


def corners(*overrides: str) -> list[Forecast]:
    empty = empty_backbone(inspect_backbone("opt-dna-mini"), num_labels=2)
    return forecast(load_spec("smoke", overrides), 320, empty)


def printed(*overrides: str) -> list[str]:
    console = Console(width=200, record=True, file=io.StringIO())
    print_steps(console, load_spec("smoke", overrides), corners(*overrides))
    return [line.rstrip() for line in console.export_text().splitlines()]


def steps(*overrides: str) -> str:
    return printed(*overrides)[-1]


def test_the_trainable_parameters_are_a_range_if_trials_differ() -> None:
    assert printed()[0] == "trainable  69,584 to 115,760 parameters"
    assert printed("adapter.b0=6")[0] == "trainable  69,584 parameters"


def test_the_steps_are_a_range_if_trials_may_stop_early() -> None:
    assert steps() == "steps      40 to 160 in the search"
    assert steps("scheduler.name=none") == "steps      160 in the search"
    assert steps("search.trials=16", "finalists.candidates=4", "finalists.confirm=3") == (
        "steps      160 to 640 in the search, up to 360 in the race"
    )
    by_size = "training.batch_size={type: categorical, choices: [8, 16]}"
    assert steps(by_size, "training.steps=null", "training.epochs=1", "scheduler.name=none") == (
        "steps      80 to 160 in the search"
    )


def test_time_and_memory_have_intervals_and_say_what_was_measured() -> None:
    slow = Timing(setup=0.1, step=0.25, dev=1.0, test=1.0, memory=0.7)
    points = [Point(corners()[0], one) for one in (slow, Timing(0.1, 0.5, 1.0, 1.0, 0.8))]
    time = Duration(200.0, 150.0, 250.0, {"start": 20.0, "search": 180.0, "race": 0.0})
    console = Console(width=200, record=True, file=io.StringIO())
    measured = Calibration(points, start=9.0, processes=2)
    print_costs(console, measured, time, Memory(0.8, 0.75, 0.85, 2.7), 2)
    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "time       about 3 min 20 s (2 min 30 s to 4 min 10 s, 90 % interval)",
        "           start 20 s, search 3 min 00 s",
        "memory     0.80 GiB a worker at most (0.75 to 0.85); 2.7 GiB with 2 workers, the driver "
        "and Ray",
        "measured   2 trials at once on this machine: a step 0.25 to 0.5 s, an evaluation on dev "
        "1 s, the start of a worker 9.0 s",
    ]
