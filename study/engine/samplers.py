"""Optuna's samplers as a spec names them."""

import numpy as np
import optuna

from study.spec import StudySpec
from study.spec.space import grid


def make_sampler(spec: StudySpec, number: int) -> optuna.samplers.BaseSampler:
    """Returns the sampler for the `number`-th ask, seeded by (study seed, number)."""
    settings = spec.search.sampler
    seed = int(np.random.SeedSequence([spec.search.seed, number]).generate_state(1)[0])
    arguments = settings.arguments
    match settings.name:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, **arguments)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, **arguments)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, **arguments)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed, **arguments)
        case "nsgaii":
            return optuna.samplers.NSGAIISampler(seed=seed, **arguments)
        case "grid":
            # The n-th point of one shuffled grid: the shuffle's seed must not change.
            return optuna.samplers.GridSampler(grid(spec), seed=spec.search.seed, **arguments)
        case "qmc":
            # Likewise the n-th point of one scrambled sequence; only the points before the first
            # result are independent draws.
            return optuna.samplers.QMCSampler(
                seed=spec.search.seed,
                independent_sampler=optuna.samplers.RandomSampler(seed=seed),
                **({"warn_independent_sampling": False} | arguments),
            )
    raise ValueError(f"sampler {settings.name!r} passed the spec but is not known here")
