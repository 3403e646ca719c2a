"""Studies of many trials, whose scores depend on their settings and on chance."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.study.analysis.study.made_studies import SPEC, MadeStudy, made_trace

REPORTS = 8


def large_study(path: Path, trials: int, failed: float = 0.05) -> MadeStudy:
    """Writes a finished study: half of the trials stopped early, a few failed, one wins."""
    made = MadeStudy(path, SPEC.replace("trials: 4", f"trials: {trials}"))
    generator = np.random.default_rng(0)
    lines: list[tuple[str, dict[str, Any]]] = []
    made.append = lambda event, **fields: lines.append((event, fields))  # type: ignore[method-assign]
    best, winner = -1.0, 0
    for trial in range(trials):
        p, b0, ratio, u = generator.random(4)
        params = {
            "p": float(0.3 * p), "b0": int(6 + 8 * b0), "bT_ratio": float(0.25 + 0.75 * ratio),
            "lr": float(10 ** (-4 + 2 * u)),
        }  # fmt: skip
        level = 0.6 - p**2 / 3 - (u - 0.6) ** 2 + 0.03 * generator.normal()
        if generator.random() < failed and u > 0.5:
            made.create(trial, params)
            made.report(trial, 1, None)
            made.decide(trial, 1, "fail")
            made.end(trial, "failed", "diverged: the loss is not finite")
            continue
        count = REPORTS if generator.random() < 0.5 else int(generator.integers(2, REPORTS))
        rise = 1 - np.exp(-np.arange(1, count + 1) / 2)
        curve = level * rise + 0.01 * generator.normal(size=count)
        made.run(trial, [float(score) for score in curve], params)
        if count == REPORTS and curve[-1] > best:
            best, winner = float(curve[-1]), trial
    made.set_winner(winner, made_trace())
    del made.append  # type: ignore[method-assign]
    made.append_all(lines)
    return made
