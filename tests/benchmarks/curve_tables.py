"""The recorded learning curves of tests/data, and the nearest recorded configuration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.spec import StudySpec, load_spec
from study.spec.space import distributions
from tests.benchmarks.record_curves import SCORE, SCORE_AT_BT, SECONDS, space_of

DATA = Path(__file__).parents[1] / "data"
TASKS = {"promoters": "curves_promoters", "prom/tata": "curves_tata"}
"""File name of the recorded table by task."""
NOTHING_RECORDED = (
    "tests/data: must contain curves_*.csv, but got none; make them with "
    "python -m tests.benchmarks.record_curves"
)


@dataclass(frozen=True, eq=False)
class CurveTable:
    """The curves of n configurations at r reports each."""

    spec: StudySpec
    """The space from which the configurations were drawn."""
    params: list[dict[str, Any]]
    plain: np.ndarray
    """Dev score, (n, r)."""
    at_bT: np.ndarray
    """Dev score with the model pruned to its final budget, (n, r)."""
    seconds: np.ndarray
    """Training time since the start of the trial, (n, r)."""
    steps: list[int]
    """The optimizer steps of the reports."""

    @property
    def final(self) -> np.ndarray:
        """Final scores, (n)."""
        return self.plain[:, -1]

    @cached_property
    def pace(self) -> np.ndarray:
        """Median seconds to each report, (r)."""
        return np.median(self.seconds, axis=0)

    def level(self, share: float) -> float:
        """Returns the lowest final score among the best `share` of the configurations."""
        return float(np.sort(self.final)[-max(1, round(share * len(self.final)))])

    def nearest(self, params: Mapping[str, float]) -> int:
        """Returns the configuration nearest to `params` by Euclidean distance in the unit cube.

        Each domain is scaled to [0, 1], logarithmically if the domain is logarithmic.
        """
        distances = np.square(self._cube - self._scaled(params)).sum(axis=1)
        return int(distances.argmin())

    @cached_property
    def _cube(self) -> np.ndarray:
        return np.array([self._scaled(params) for params in self.params])

    @cached_property
    def _distributions(self) -> dict[str, Any]:
        return distributions(self.spec)

    def _scaled(self, params: Mapping[str, float]) -> np.ndarray:
        place = []
        for name, domain in self._distributions.items():
            ends = (domain.low, domain.high, params[name])
            low, high, value = map(math.log, ends) if domain.log else ends
            place.append((value - low) / (high - low))
        return np.array(place)


def read_table(file: Path) -> CurveTable:
    """Reads a table written by record_curves.py."""
    rows = pd.read_csv(file)
    spec = load_spec(str(space_of(file)), [])
    configurations = [trial for _, trial in rows.groupby("trial")]
    names = list(distributions(spec))
    return CurveTable(
        spec,
        [trial[names].astype(object).iloc[0].to_dict() for trial in configurations],
        plain=np.array([trial[SCORE] for trial in configurations]),
        at_bT=np.array([trial[SCORE_AT_BT] for trial in configurations]),
        seconds=np.array([trial[SECONDS] for trial in configurations]),
        steps=configurations[0]["step"].tolist(),
    )


def recorded_tables() -> dict[str, CurveTable]:
    """Returns the recorded tables by task."""
    files = {task: DATA / f"{name}.csv" for task, name in TASKS.items()}
    return {task: read_table(file) for task, file in files.items() if file.exists()}
