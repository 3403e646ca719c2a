"""The estimates of `study.run --calibrate` against the studies themselves; prints a table.

    python -m tests.benchmarks.estimates.bench_estimates [SPACE ...]

For each space the plan is made with --calibrate, then the study runs, in a temporary folder. Wall
time is that of the command, from its start to its end. The machine should have no other work: the
load average is printed, and a load that changes between plan and study is an error of its own.
"""
# ruff: noqa: T201

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy

SPACES: dict[str, list[str]] = {
    "smoke": ["--space", "smoke"],
    "adalora_rs": [
        *("--space", "adalora_rs", "--trials", "8", "--set", "training.steps=80"),
        *("--set", "finalists.candidates=2"),
    ],
    "lora": ["--space", "lora", "--trials", "6", "--set", "training.steps=60"],
}
SECONDS = {"s": 1, "min": 60, "h": 3600, "days": 86400}
TIME = r"((?:\d+ (?:s|min|h|days) ?)+)"


def main() -> None:
    """Prints a row for each space."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spaces", nargs="*", metavar="SPACE", help=", ".join(SPACES))
    chosen = parser.parse_args().spaces or list(SPACES)
    print("| space | estimate, s (interval) | study, s | study / estimate | estimate of memory, "
          "GiB | study, GiB | study / estimate | load before, between, after |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for name in chosen:
        print(row(name), flush=True)


def row(name: str) -> str:
    """Returns the row of a space; prints the parts of the time on standard error."""
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as storage:
        plan, _ = call([*SPACES[name], "--calibrate"], storage)
        load.append(os.getloadavg()[0])
        expected, low, high = (
            seconds(text) for text in find(rf"^time +about {TIME}\({TIME}to {TIME}, 90 %", plan, 3)
        )
        [memory] = find(r"^memory +([\d.]+) GiB", plan, 1)
        _, wall = call([*SPACES[name], "--name", "study"], storage)
        load.append(os.getloadavg()[0])
        folder = StudyFolder(Path(storage) / "study")
        with folder.trials.open(encoding="utf-8") as file:
            peak = max(float(trial["peak_memory_gib"]) for trial in csv.DictReader(file))
        print(
            f"{name}: estimated {plan_parts(plan)}; study {parts(folder, wall)}", file=sys.stderr
        )
    loads = ", ".join(f"{one:.1f}" for one in load)
    return (
        f"| {name} | {expected:.0f} ({low:.0f}-{high:.0f}) | {wall:.0f} | {wall / expected:.2f} | "
        f"{memory} | {peak:.2f} | {peak / float(memory):.2f} | {loads} |"
    )


def call(arguments: list[str], storage: str) -> tuple[str, float]:
    """Runs study.run; returns its output and wall seconds."""
    started = time.time()
    command = [sys.executable, "-m", "study.run", *arguments, "--storage", storage]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout, time.time() - started


def find(pattern: str, text: str, groups: int) -> tuple[str, ...]:
    """Returns the groups of the only line that matches."""
    [found] = re.finditer(pattern, text, flags=re.MULTILINE)
    assert len(found.groups()) == groups
    return found.groups()


def seconds(text: str) -> float:
    """Returns a time such as `3 min 20 s` in seconds."""
    return sum(int(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+) (s|min|h|days)", text))


def plan_parts(plan: str) -> str:
    """Returns the line on the parts of the time."""
    [parts] = find(r"^ +(start .*)$", plan, 1)
    return parts


def parts(folder: StudyFolder, wall: float) -> str:
    """Returns the seconds of the search, race and evaluation; the rest is start and end."""
    events = StoredStudy.read(folder).undamaged
    first = next(event.time for event in events if event.event == "created")
    last = max(event.time for event in events if event.event == "ended")
    winner = events[-1].time
    decided = next((event.time for event in events if event.event == "finalists"), last)
    return (
        f"search {last - first:.0f} s, race until the decision {decided - last:.0f} s, then until "
        f"the winner {winner - decided:.0f} s, rest {wall - (winner - first):.0f} s"
    )


if __name__ == "__main__":
    main()
