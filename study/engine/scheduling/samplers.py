"""Optuna's samplers by name, created again with a new seed for every trial."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna import Study, samplers
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from study.spec import StudySpec
from study.spec.space import grid


class ReseededSampler(samplers.BaseSampler):  # type: ignore[misc]
    """The spec's sampler, created for every trial with a seed of (study seed, trial number).

    A suggestion is therefore a function of (study seed, number, history) only, also after a
    resume. State that a sampler stores in Optuna's study is part of the history.
    """

    def __init__(self, spec: StudySpec, first: int = 0) -> None:
        """`first`: Optuna's number of the study's first trial."""
        self._spec = spec
        self._first = first
        self._given: dict[int, dict[str, Any]] = {}
        self._latest: tuple[int, samplers.BaseSampler] | None = None
        self._relative_space: dict[str, BaseDistribution] = {}

    def give(self, number: int, params: dict[str, Any]) -> None:
        """Fixes some values of the study's trial `number`; the others are sampled."""
        self._given[number + self._first] = params

    def _of(self, trial: FrozenTrial) -> samplers.BaseSampler:
        """Returns the sampler of a trial, the same one for all its parameters."""
        latest = self._latest
        if latest is None or latest[0] != trial.number:
            number, given = trial.number - self._first, bool(self._given.get(trial.number))
            latest = (trial.number, make_sampler(self._spec, number, partly_given=given))
            self._latest = latest
        return latest[1]

    @override
    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Calls the trial's sampler."""
        self._of(trial).before_trial(study, trial)

    @override
    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns the sampler's relative search space without the given parameters."""
        # All trials have the same space, so it is cached; Optuna would read all trials again.
        space = self._relative_space or self._of(trial).infer_relative_search_space(study, trial)
        self._relative_space = space
        given = self._given.get(trial.number, {})
        return {name: domain for name, domain in space.items() if name not in given}

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns the values of the relative search space."""
        return dict(self._of(trial).sample_relative(study, trial, search_space))

    @override
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns the given value, else an independently sampled one."""
        given = self._given.get(trial.number, {})
        if param_name in given:
            return given[param_name]
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    @override
    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Does nothing: the grid sampler would try to stop an optimization loop of Optuna's."""


def make_sampler(spec: StudySpec, number: int, *, partly_given: bool) -> samplers.BaseSampler:
    """Returns the sampler for the study's `number`-th trial, seeded by (study seed, number).

    `partly_given`: some parameters are fixed, so that only the others are sampled.
    """
    settings = spec.search.sampler
    seed = int(np.random.SeedSequence([spec.search.seed, number]).generate_state(1)[0])
    arguments = settings.arguments
    match settings.name:
        case "tpe":
            return samplers.TPESampler(seed=seed, **arguments)
        case "gp":
            return samplers.GPSampler(seed=seed, **arguments)
        case "cmaes" if partly_given:
            # CMA-ES would adapt to these parameters and ignore the others from then on.
            return samplers.RandomSampler(seed=seed)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, **arguments)
        case "random":
            return samplers.RandomSampler(seed=seed, **arguments)
        case "nsgaii":
            return samplers.NSGAIISampler(seed=seed, **arguments)
        case "grid":
            # The n-th point of one shuffled grid: the seed of the shuffle must not change.
            return samplers.GridSampler(grid(spec), seed=spec.search.seed, **arguments)
        case "qmc":
            # The n-th point of one scrambled sequence; only points before the first result are
            # independent draws.
            return samplers.QMCSampler(
                seed=spec.search.seed,
                independent_sampler=samplers.RandomSampler(seed=seed),
                **({"warn_independent_sampling": False} | arguments),
            )
    raise ValueError(f"sampler {settings.name!r} passed the spec but is not known here")
