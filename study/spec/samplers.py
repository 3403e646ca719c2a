"""Optuna's samplers by name, with the arguments that a YAML can express.

Each class has the keyword arguments of the sampler with Optuna's defaults, which a test compares,
so that reading a YAML does not import Optuna. Arguments that are Python objects, deprecated ones,
and `seed`, which is `search.seed`, are left out.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from study.spec.leaves import MAX_COUNT, Count
from study.spec.rules import Section, refuse

LEARNING = ("tpe", "gp", "nsgaii")
"""Samplers that use constraints, and results of trials that they did not suggest."""

NonNegativeInt = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Sampler(Section):
    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that differ from Optuna's defaults."""
        return self.model_dump(exclude={"name"}, exclude_defaults=True)


class TPE(_Sampler):
    """Tree-structured Parzen estimator: the default, good up to some hundreds of trials."""

    name: Literal["tpe"] = "tpe"
    n_startup_trials: NonNegativeInt = 10
    n_ei_candidates: Count = 24
    multivariate: bool | None = None
    group: bool = False
    constant_liar: bool = True

    @model_validator(mode="after")
    def _groups_are_multivariate(self) -> "TPE":
        if self.group and self.multivariate is False:
            rule = "must be false where multivariate is false"
            refuse(("group",), f"{rule}, but got true; remove one of them", True)
        return self


class GP(_Sampler):
    """Gaussian process: for few, expensive trials."""

    name: Literal["gp"] = "gp"
    n_startup_trials: NonNegativeInt = 10
    deterministic_objective: bool = False
    warn_independent_sampling: bool = True


class CmaEs(_Sampler):
    """Covariance matrix adaptation: for numeric parameters and many trials."""

    name: Literal["cmaes"] = "cmaes"
    n_startup_trials: NonNegativeInt = 1
    warn_independent_sampling: bool = True
    consider_pruned_trials: bool = False
    popsize: Count | None = None
    use_separable_cma: bool = False
    with_margin: bool = False
    lr_adapt: bool = False

    @model_validator(mode="after")
    def _one_variant(self) -> "CmaEs":
        variants = ("use_separable_cma", "with_margin", "lr_adapt")
        chosen = [name for name in variants if getattr(self, name)]
        if len(chosen) > 1:
            rule = f"must be false where {chosen[0]} is true"
            refuse((chosen[1],), f"{rule}, but got true; remove one of them", True)
        return self


class Random(_Sampler):
    """Independent uniform draws: a baseline."""

    name: Literal["random"] = "random"


class QMC(_Sampler):
    """A low-discrepancy sequence, which covers the space evenly."""

    name: Literal["qmc"] = "qmc"
    qmc_type: Literal["sobol", "halton"] = "sobol"
    scramble: bool = False
    warn_asynchronous_seeding: bool = True
    warn_independent_sampling: bool = True


class NSGAII(_Sampler):
    """A genetic algorithm."""

    name: Literal["nsgaii"] = "nsgaii"
    population_size: Annotated[int, Field(ge=2)] = 50
    mutation_prob: Probability | None = None
    crossover_prob: Probability = 0.9
    swapping_prob: Probability = 0.5


class Grid(_Sampler):
    """Every combination once. Every domain must be categorical or have a step."""

    name: Literal["grid"] = "grid"


Sampler = Annotated[TPE | GP | CmaEs | Random | QMC | NSGAII | Grid, Field(discriminator="name")]
