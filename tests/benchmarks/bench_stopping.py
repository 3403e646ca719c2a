"""Which trials early stopping stops wrongly, by plain score and by score at the final budget.

    python -m tests.benchmarks.bench_stopping [--factor F] [--grace G] [--out PICTURE.png]

For each recorded task of tests/data two tables are printed. The first has, for a single rung at
each report, Kendall's tau with the final score and the share of the best 10 % that it would stop,
averaged over random orders of arrival. The second has the same share, and the cost, for all rungs
of the real scheduler, which receives one trial after the other. Intervals are 95 % bootstrap
intervals over configurations.
"""

# ruff: noqa: T201
import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from ray.tune.schedulers import TrialScheduler

from study.analysis.drawing import STYLE
from study.engine.scheduling.asha import AshaScheduler
from study.spec import StudySpec
from study.spec.rungs import rungs
from study.storage.events import TrialCreated
from tests.benchmarks.curve_tables import NOTHING_RECORDED, CurveTable, recorded_tables
from tests.benchmarks.early_stopping import (
    TOP_SHARE,
    Estimate,
    RungQuality,
    rung_quality,
    tau_gain,
)
from tests.benchmarks.simulator import ledger_in_memory, ray_trial, result_of, simulated_spec

SCORES = ("plain", "at_bT")
COLORS = {"plain": "#2b6ca3", "at_bT": "#d9730d"}
ORDERS = 60
"""Number of random orders in which the scheduler receives the configurations."""

Qualities = dict[str, list[RungQuality]]
"""By score: the quality of a rung at each report."""


def main() -> None:
    """Prints the tables of every recorded task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factor", type=float, default=2.0, help="scheduler.reduction_factor")
    parser.add_argument("--grace", type=float, default=0.5, help="scheduler.grace_fraction")
    parser.add_argument("--out", type=Path, help="a png of both figures")
    arguments = parser.parse_args()
    tables, qualities = recorded_tables(), {}
    if not tables:
        sys.exit(NOTHING_RECORDED)
    for task, table in tables.items():
        print(
            f"\n{task}: {len(table.params)} configurations, reduction factor {arguments.factor}\n"
        )
        qualities[task] = print_rungs(table, arguments.factor)
        print()
        print_scheduler(table, arguments.factor, arguments.grace)
    if arguments.out is not None:
        draw(qualities, tables, arguments.out)


def print_rungs(table: CurveTable, factor: float) -> Qualities:
    """Prints and returns the quality of a rung at each report."""
    qualities = {
        score: rung_quality(getattr(table, score), table.final, factor, np.random.default_rng(0))
        for score in SCORES
    }
    gains = tau_gain(table.at_bT, table.plain, table.final, np.random.default_rng(0))
    print(
        "| report | step | tau, plain | tau, at_bT | gain of at_bT "
        "| best 10 % stopped, plain | at_bT |"
    )
    print("|---|---|---|---|---|---|---|")
    for plain, at_bT, gain, step in zip(*qualities.values(), gains, table.steps, strict=True):
        cells = [shown(plain.tau), shown(at_bT.tau), shown(gain, sign="+")]
        cells += [shown(plain.wrongly_stopped), shown(at_bT.wrongly_stopped)]
        print(f"| {plain.report} | {step} | " + " | ".join(cells) + " |")
    return qualities


def print_scheduler(table: CurveTable, factor: float, grace: float) -> None:
    """Prints which trials all rungs of the scheduler stop together."""
    print("| ASHA on | rungs at reports | best 10 % stopped | the best stopped | reports made |")
    print("|---|---|---|---|---|")
    for score in SCORES:
        spec = simulated_spec(
            table,
            {"name": "random"},
            {"reduction_factor": factor, "grace_fraction": grace, "score": score},
            seed=0,
        )
        rng = np.random.default_rng(0)
        made = np.array([feed(table, spec, rng) for _ in range(ORDERS)])
        best = np.argsort(-table.final, kind="stable")
        top = best[: max(1, round(TOP_SHARE * len(best)))]
        stopped = made < len(table.steps)
        cells = [stopped[:, top].mean(), stopped[:, best[0]].mean(), made.mean() / made.max()]
        print(f"| {score} | {rungs(spec)} | " + " | ".join(f"{c:.0%}" for c in cells) + " |")


def feed(table: CurveTable, spec: StudySpec, rng: np.random.Generator) -> np.ndarray:
    """Returns the number of reports made by each configuration, (n), in a new scheduler.

    The scheduler receives the configurations one after the other in random order.
    """
    made = np.zeros(len(table.params), dtype=int)
    with ledger_in_memory(spec) as ledger:
        scheduler = AshaScheduler(ledger)
        for number, configuration in enumerate(rng.permutation(len(made))):
            ledger.append(
                TrialCreated(
                    trial=number,
                    params=table.params[configuration],
                    settings={},
                    seeds={},
                    total_steps=table.steps[-1],
                    reports=len(table.steps),
                    optuna={},
                )
            )
            scheduler.on_trial_add(None, ray_trial(number))
            action = TrialScheduler.CONTINUE
            while action == TrialScheduler.CONTINUE:
                made[configuration] += 1
                result = result_of(table, configuration, made[configuration], spec.objective)
                action = scheduler.on_trial_result(None, ray_trial(number), result)
    return made


def shown(estimate: Estimate, sign: str = "") -> str:
    """Formats a value with its interval."""
    numbers = (estimate.value, estimate.low, estimate.high)
    return "{} ({} to {})".format(*(f"{number:{sign}.2f}" for number in numbers))


def draw(qualities: dict[str, Qualities], tables: dict[str, CurveTable], out: Path) -> None:
    """Draws tau and the share wrongly stopped against the fraction of the training steps."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.8 * len(qualities)), layout="constrained")
        grid = figure.subplots(len(qualities), 2, sharex=True, squeeze=False)
        for (tau, wrong), (task, scores) in zip(grid, qualities.items(), strict=True):
            steps = tables[task].steps
            for score, qualities in scores.items():
                at = [step / steps[-1] for step in steps]
                _line(tau, at, [quality.tau for quality in qualities], score)
                _line(wrong, at, [quality.wrongly_stopped for quality in qualities], score)
            tau.set(title=task, ylabel="Kendall's tau with the final score", ylim=(-0.2, 1.05))
            wrong.set(title=task, ylabel="share of the best 10 % stopped", ylim=(-0.02, 1.0))
            wrong.legend()
        for axes in grid[-1]:
            axes.set_xlabel("rung at this fraction of the training steps")
        FigureCanvasAgg(figure).print_png(out)


def _line(axes: mpl.axes.Axes, at: list[float], estimates: list[Estimate], score: str) -> None:
    color = COLORS[score]
    axes.plot(at, [e.value for e in estimates], "o-", color=color, markersize=3, label=score)
    low, high = [e.low for e in estimates], [e.high for e in estimates]
    axes.fill_between(at, low, high, color=color, alpha=0.15, linewidth=0)


if __name__ == "__main__":
    main()
