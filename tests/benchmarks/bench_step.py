"""Times one training step of AdaLoRA+RS against PEFT's LoRA and AdaLoRA; prints a table.

    python -m tests.benchmarks.bench_step [--rounds N] [--threads N] [--model NAME]

Each round runs one step of every arm in random order. Ratios are computed within a round, so that
other load on the machine affects all arms equally; the table has their median.
"""

# ruff: noqa: T201
import argparse
import random
import statistics
import time
import warnings

import torch

from tests.benchmarks.arms import ARMS, BRIEF, SHAPES, Arm, batch

BASELINE = "PEFT LoRA"
WARM_UP_ROUNDS = 3


def main() -> None:
    """Prints one row for each model shape and arm."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), {arguments.rounds} rounds\n")
    print("| model | method | ms/step | wall ratio (IQR) | CPU ratio (IQR) | allocation |")
    print("|---|---|---|---|---|---|")
    for shape in arguments.model or BRIEF:
        arms = {name: make(shape) for name, make in ARMS.items()}
        wall, cpu = run_rounds(arms, batch(shape), arguments.rounds)
        for name, arm in arms.items():
            print(row(shape, name, arm, wall, cpu), flush=True)


def parse_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", choices=SHAPES, action="append", help="default: the small ones")
    return parser.parse_args()


Times = dict[str, list[float]]


def run_rounds(arms: dict[str, Arm], data: dict, rounds: int) -> tuple[Times, Times]:
    """Returns the wall and the CPU seconds of every arm's step, round by round."""
    order = list(arms)
    shuffler = random.Random(0)
    wall: Times = {name: [] for name in arms}
    cpu: Times = {name: [] for name in arms}
    for _ in range(WARM_UP_ROUNDS + rounds):
        shuffler.shuffle(order)
        for name in order:
            started, cpu_started = time.perf_counter(), time.process_time()
            arms[name].step(data)
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - cpu_started)
    for times in (*wall.values(), *cpu.values()):
        del times[:WARM_UP_ROUNDS]
    return wall, cpu


def row(shape: str, name: str, arm: Arm, wall: Times, cpu: Times) -> str:
    """Returns one row of the table."""
    allocation = "-"
    if arm.allocation_seconds:
        parts = arm.allocation_seconds[WARM_UP_ROUNDS:]
        shares = [part / step for part, step in zip(parts, wall[name], strict=True)]
        allocation = f"{statistics.median(shares):.2%}"
    milliseconds = f"{1000 * statistics.median(wall[name]):.1f}"
    cells = [shape, name, milliseconds, ratio(name, wall), ratio(name, cpu), allocation]
    return "| " + " | ".join(cells) + " |"


def ratio(name: str, times: Times) -> str:
    """Formats the median and quartiles of the ratios to the baseline."""
    ratios = [a / b for a, b in zip(times[name], times[BASELINE], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


if __name__ == "__main__":
    main()
