"""How fast random search, TPE and a Gaussian process find the best, with and without ASHA.

    python -m tests.benchmarks.bench_search [--studies N] [--processes N] [--out PICTURE.png]

Studies are simulated (simulator.py) on the recorded curves of tests/data. Each study has 4 workers
and the time in which they train 16 configurations to the end. The tables have medians over studies
with 95 % bootstrap intervals: the simulated seconds until a complete trial is the best of the
table, or among its best 5 %, and the best final score after half of the time and all of it.
"""

# ruff: noqa: T201
import argparse
import logging
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.analysis.drawing import STYLE
from tests.benchmarks.curve_tables import NOTHING_RECORDED, CurveTable, recorded_tables
from tests.benchmarks.simulator import Simulated, simulate, simulated_spec

WORKERS, FULL_TRIALS = 4, 16
TOP = 0.05
STARTUP = {"n_startup_trials": 8}
SAMPLERS: dict[str, dict[str, Any]] = {
    "random": {"name": "random"},
    "tpe": {"name": "tpe", **STARTUP},
    "gp": {"name": "gp", **STARTUP},
}
SCHEDULERS: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "asha": {"name": "asha", "reduction_factor": 2, "grace_fraction": 0.5},
}
COLORS = {"random": "#6b737c", "tpe": "#2b6ca3", "gp": "#d9730d"}

Arm = tuple[str, str]


def main() -> None:
    """Prints one table for each task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100, help="of every arm")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--score", choices=("plain", "at_bT"), default="plain")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--out", type=Path, help="a png of the best score over time")
    arguments = parser.parse_args()
    tables, results = recorded_tables(), {}
    if not tables:
        sys.exit(NOTHING_RECORDED)
    arms = list(product(arguments.samplers, SCHEDULERS))
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        for task, table in tables.items():
            print(f"\n{task}: {arguments.studies} studies each, {horizon(table):.0f} s\n")
            results[task] = {
                arm: list(
                    pool.map(partial(study, task, arm, arguments.score), range(arguments.studies))
                )
                for arm in arms
            }
            print_table(table, results[task])
    if arguments.out is not None:
        draw(results, tables, arguments.out)


def horizon(table: CurveTable) -> float:
    """Returns the simulated seconds of a study."""
    return FULL_TRIALS * float(table.pace[-1]) / WORKERS


def study(task: str, arm: Arm, score: str, seed: int) -> Simulated:
    """Simulates one study."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # Optuna's experimental samplers.
    logging.getLogger("optuna").setLevel(logging.ERROR)
    table = recorded_tables()[task]
    sampler, scheduler = arm
    spec = simulated_spec(table, SAMPLERS[sampler], SCHEDULERS[scheduler] | {"score": score}, seed)
    return simulate(table, spec, WORKERS, horizon(table))


def print_table(table: CurveTable, results: dict[Arm, list[Simulated]]) -> None:
    """Prints one row for each arm."""
    end, best, top = horizon(table), float(table.final.max()), table.level(TOP)
    print(
        f"| sampler | scheduler | trials (stopped) | s to the best ({best:.3f}) | reached "
        f"| s to the best 5 % ({top:.3f}) | reached | best at {end / 2:.0f} s | at {end:.0f} s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for (sampler, scheduler), studies in results.items():
        to_best = [one.reaches(best) for one in studies]
        to_top = [one.reaches(top) for one in studies]
        trials, stopped = (
            np.mean([getattr(one, name) for one in studies]) for name in ("suggested", "stopped")
        )
        cells = [sampler, scheduler, f"{trials:.0f} ({stopped:.0f})"]
        for times in (to_best, to_top):
            cells += [median(times, "{:.0f}", f"> {end:.0f}"), f"{np.isfinite(times).mean():.0%}"]
        cells += [
            median([one.best_at(end * share) for one in studies], "{:.3f}", "-")
            for share in (0.5, 1.0)
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def median(values: list[float], form: str, never: str) -> str:
    """Formats the median with its bootstrap interval; infinite values as `never`."""
    rng = np.random.default_rng(0)
    drawn = np.array(values)[rng.integers(len(values), size=(2000, len(values)))]
    middles = np.sort(np.quantile(drawn, 0.5, axis=1, method="lower"))
    low, high = middles[[49, 1949]]
    middle = np.quantile(values, 0.5, method="lower")
    texts = [form.format(v) if np.isfinite(v) else never for v in (middle, low, high)]
    return "{} ({} to {})".format(*texts)


def draw(
    results: dict[str, dict[Arm, list[Simulated]]], tables: dict[str, CurveTable], out: Path
) -> None:
    """Draws the median best final score against simulated time."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8 * len(results), 3.2), layout="constrained")
        for axes, (task, arms) in zip(
            figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True
        ):
            times = np.linspace(0, horizon(tables[task]), 200)
            for (sampler, scheduler), studies in arms.items():
                best = np.array([[one.best_at(time) for time in times] for one in studies])
                known = ~np.isnan(best).any(axis=0)
                axes.plot(
                    times[known],
                    np.median(best[:, known], axis=0),
                    color=COLORS[sampler],
                    linestyle="-" if scheduler == "asha" else ":",
                    label=f"{sampler}, {'ASHA' if scheduler == 'asha' else 'no stopping'}",
                )
            axes.axhline(tables[task].final.max(), color="#c9ced4", linewidth=1, zorder=0)
            axes.set(title=task, xlabel="simulated seconds", ylabel="best dev_mcc (median)")
        axes.legend(fontsize=7.5)
        FigureCanvasAgg(figure).print_png(out)


if __name__ == "__main__":
    main()
