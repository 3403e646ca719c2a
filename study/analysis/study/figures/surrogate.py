"""A surrogate of the score: a Gaussian process over the settings of the complete trials.

The score is standardised and modelled as f(x) + noise, where f has a Matérn kernel (5/2) with a
length for every setting. Settings are scaled to [0, 1], choices are one column each. Lengths,
variance and noise are those of the largest posterior density: with priors, as ten trials do not
determine ten lengths. The prior of the lengths grows with the number of settings (Hvarfner et al.
2024, arXiv 2402.02229); that of the noise expects a third of the variance to come from seeds.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from study.analysis.study.figures.axes import Axis, points
from study.storage.record import TrialRecord

if TYPE_CHECKING:
    from sklearn.gaussian_process.kernels import Kernel

NEEDED = 8
"""Smallest number of complete trials for a fit."""
MOST = 200
"""Largest number of trials of a fit: its time grows with the third power."""
FOLDS = 10
"""Number of parts of the trials that are left out in turn to measure the predictions."""
BACKGROUND = 40
"""Number of trials whose other settings an effect is averaged over."""


@dataclass(frozen=True)
class Effect:
    """The expected score as a function of one or two settings, with the sd of that expectation."""

    mean: list[float]
    sd: list[float]


class Surrogate:
    """A fitted process. The same trials give the same numbers."""

    def __init__(self, trials: Sequence[TrialRecord], axes: Sequence[Axis]) -> None:
        used = thinned(points(trials, axes), MOST)
        self.axes, self.count = list(axes), len(used)
        self._values = [
            {a.name: _number(a, trial.settings[a.name]) for a in axes} for trial in used
        ]
        scores = np.array([float(trial.value or 0) for trial in used])
        self.center, self.scale = float(scores.mean()), float(scores.std()) or 1.0
        self._x = self._encoded(self._values)
        self._y = (scores - self.center) / self.scale
        self._signal, self.noise = _fit(self._x, self._y)
        covariance = self._signal(self._x) + self.noise * np.eye(len(used))
        self._inverse = np.linalg.inv(covariance)
        self._weights = self._inverse @ self._y
        self._background = thinned(self._values, BACKGROUND)

    def predicted_share(self) -> float:
        """Returns the share of the variance that predictions of left-out trials explain; <= 1.

        Lengths and noise are fitted without the trials left out, or noise would look predictable.
        """
        part = np.arange(self.count) % FOLDS
        errors, of_mean = 0.0, 0.0
        for k in range(min(FOLDS, self.count)):
            x, out = self._x[part != k], self._x[part == k]
            mean = self._y[part != k].mean()
            y, left = self._y[part != k] - mean, self._y[part == k] - mean
            signal, noise = _fit(x, y)
            predicted = signal(out, x) @ np.linalg.solve(signal(x) + noise * np.eye(len(x)), y)
            errors += float(((left - predicted) ** 2).sum())
            of_mean += float((left**2).sum())
        return 1 - errors / max(1e-12, of_mean)

    def effect(self, settings: Sequence[dict[str, float]]) -> Effect:
        """Returns the expected score at settings, averaged over the other settings of trials.

        Args:
            settings: name -> value, of one or two settings; a choice is its index. NaN where
                they are not possible together (bT > b0).
        """
        mean, sd = [], []
        for fixed in settings:
            rows = [_possible(other, fixed) for other in self._background]
            if not _is_possible(rows[0]):
                mean.append(float("nan"))
                sd.append(float("nan"))
                continue
            x = self._encoded(rows)
            across = self._signal(x, self._x).mean(axis=0)
            variance = self._signal(x).mean() - across @ self._inverse @ across
            mean.append(self.center + self.scale * float(across @ self._weights))
            sd.append(self.scale * float(max(0.0, variance)) ** 0.5)
        return Effect(mean, sd)

    def _encoded(self, rows: Sequence[dict[str, float]]) -> Float[np.ndarray, "rows columns"]:
        columns = []
        for axis in self.axes:
            values = [row[axis.name] for row in rows]
            if axis.choices:
                columns += [[float(v == k) for v in values] for k in range(len(axis.choices))]
            else:
                columns.append([axis.place(value) for value in values])
        return np.array(columns).T


def surrogate(trials: Sequence[TrialRecord], axes: Sequence[Axis]) -> Surrogate | str:
    """Returns a fitted surrogate, or why there is none."""
    if not axes:
        return "no setting was searched"
    used = points(trials, axes)
    if len(used) < NEEDED:
        return f"a curve needs at least {NEEDED} complete trials, and there are {len(used)}"
    if len({trial.value for trial in used}) == 1:
        return "all complete trials have the same score"
    return Surrogate(trials, axes)


def _is_possible(row: Mapping[str, float]) -> bool:
    return row.get("bT", 0) <= row.get("b0", math.inf)


def _possible(others: Mapping[str, float], fixed: Mapping[str, float]) -> dict[str, float]:
    """Returns the others with `fixed`; of b0 and bT the one that is not fixed gives way."""
    row = {**others, **fixed}
    if not _is_possible(row):
        changed = {"bT": row["b0"]} if "b0" in fixed else {"b0": row["bT"]}
        row = {**row, **changed, **fixed}
    return row


def _number(axis: Axis, value: Any) -> float:
    return axis.place(value) if axis.choices else float(value)


def thinned(items: list[Any], most: int) -> list[Any]:
    """Returns at most `most` of the items, evenly spaced."""
    if len(items) <= most:
        return items
    return [items[round(k * (len(items) - 1) / (most - 1))] for k in range(most)]


def _fit(
    x: Float[np.ndarray, "rows columns"], y: Float[np.ndarray, " rows"]
) -> tuple["Kernel", float]:
    """Returns the kernel of f and the variance of the noise."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    columns = x.shape[1]
    typical = 0.5 * columns**0.5
    kernel = ConstantKernel(1.0, (0.05, 10)) * Matern(
        np.full(columns, typical), (0.05, 50), nu=2.5
    ) + WhiteKernel(0.3, (1e-3, 2))
    center = np.log([1.0, *[typical] * columns, 0.3])
    width = np.array([1.0, *[1.2] * columns, 1.0])
    process = GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=_with_priors(center, width))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(x, y)
    return process.kernel_.k1, float(process.kernel_.k2.noise_level)


def _with_priors(center: np.ndarray, width: np.ndarray) -> Callable[..., tuple[np.ndarray, float]]:
    """Returns an optimizer for scikit-learn that adds normal priors of the logarithms."""
    from scipy.optimize import minimize

    def optimizer(
        objective: Callable[..., Any], start: np.ndarray, bounds: np.ndarray
    ) -> tuple[np.ndarray, float]:
        def penalised(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = objective(theta, eval_gradient=True)
            z = (theta - center) / width
            return float(value + 0.5 * z @ z), gradient + z / width

        options = {"maxiter": 40}
        found = minimize(
            penalised, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options
        )
        return found.x, float(found.fun)

    return optimizer
