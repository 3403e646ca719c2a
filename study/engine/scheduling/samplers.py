"""The sampler that suggests trials: Optuna's by name, reseeded for every trial."""

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
    """The spec's sampler, built anew for every trial with a seed of (study seed, trial number).

    So a suggestion is a function of (study seed, number, history), whatever was suggested before
    in the same process; what a sampler keeps in Optuna's study is part of the history.
    """

    def __init__(self, spec: StudySpec, first: int = 0) -> None:
        """`first`: the number by Optuna's count of the study's own first trial."""
        self._spec = spec
        self._first = first
        self._given: dict[int, dict[str, Any]] = {}
        self._latest: tuple[int, samplers.BaseSampler] | None = None
        self._together: dict[str, BaseDistribution] = {}

    def give(self, number: int, params: dict[str, Any]) -> None:
        """Gives the study's `number`-th trial some of its values; it samples the others."""
        self._given[number + self._first] = params

    def _of(self, trial: FrozenTrial) -> samplers.BaseSampler:
        """The sampler of one trial, the same from its first question to its last."""
        latest = self._latest
        if latest is None or latest[0] != trial.number:
            number, given = trial.number - self._first, bool(self._given.get(trial.number))
            latest = (trial.number, make_sampler(self._spec, number, in_part=given))
            self._latest = latest
        return latest[1]

    @override
    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Lets the trial's sampler prepare."""
        self._of(trial).before_trial(study, trial)

    @override
    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns what is sampled together: the sampler's space without what was given."""
        # All trials have the same space, so once there is one it stays; Optuna would go through
        # all of them again.
        space = self._together or self._of(trial).infer_relative_search_space(study, trial)
        self._together = space
        given = self._given.get(trial.number, {})
        return {name: domain for name, domain in space.items() if name not in given}

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns values that are sampled together."""
        return dict(self._of(trial).sample_relative(study, trial, search_space))

    @override
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns the value that was given, or one sampled by itself."""
        given = self._given.get(trial.number, {})
        if param_name in given:
            return given[param_name]
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    @override
    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Nothing to do, and the grid's sampler would try to stop a loop that is not there."""


def make_sampler(spec: StudySpec, number: int, *, in_part: bool) -> samplers.BaseSampler:
    """Returns the sampler for the study's `number`-th trial, seeded by (study seed, number).

    `in_part`: it is asked for some of the parameters alone.
    """
    settings = spec.search.sampler
    seed = int(np.random.SeedSequence([spec.search.seed, number]).generate_state(1)[0])
    arguments = settings.arguments
    match settings.name:
        case "tpe":
            return samplers.TPESampler(seed=seed, **arguments)
        case "gp":
            return samplers.GPSampler(seed=seed, **arguments)
        case "cmaes" if in_part:
            # It would adapt to these parameters, and never to the others.
            return samplers.RandomSampler(seed=seed)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, **arguments)
        case "random":
            return samplers.RandomSampler(seed=seed, **arguments)
        case "nsgaii":
            return samplers.NSGAIISampler(seed=seed, **arguments)
        case "grid":
            # The n-th point of one shuffled grid: the shuffle's seed must not change.
            return samplers.GridSampler(grid(spec), seed=spec.search.seed, **arguments)
        case "qmc":
            # Likewise the n-th point of one scrambled sequence; only the points before the first
            # result are independent draws.
            return samplers.QMCSampler(
                seed=spec.search.seed,
                independent_sampler=samplers.RandomSampler(seed=seed),
                **({"warn_independent_sampling": False} | arguments),
            )
    raise ValueError(f"sampler {settings.name!r} passed the spec but is not known here")
