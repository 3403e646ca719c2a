"""The sampler arguments of a YAML are Optuna's."""

import inspect
import warnings
from typing import get_args

import optuna
import pytest

from study.spec.samplers import TPE, Sampler

CLASSES = {
    "tpe": "TPESampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
    "random": "RandomSampler",
    "qmc": "QMCSampler",
    "nsgaii": "NSGAIISampler",
    "grid": "GridSampler",
}
# Python objects, deprecated arguments, and what the study itself supplies.
LEFT_OUT = {
    "tpe": "consider_prior prior_weight consider_magic_clip consider_endpoints gamma weights seed "
    "warn_independent_sampling constraints_func",
    "gp": "seed independent_sampler constraints_func",
    "cmaes": "x0 sigma0 independent_sampler seed restart_strategy inc_popsize source_trials",
    "random": "seed",
    "qmc": "seed independent_sampler",
    "nsgaii": "mutation crossover seed constraints_func elite_population_selection_strategy "
    "child_generation_strategy after_trial_strategy",
    "grid": "search_space seed",
}
SPECS = [member() for member in get_args(get_args(Sampler)[0])]
WITHOUT_SPACE = [spec for spec in SPECS if spec.name != "grid"]


def test_every_sampler_of_the_table_is_known():
    assert [spec.name for spec in SPECS] == list(CLASSES)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_arguments_and_defaults_are_those_of_optuna(spec):
    optunas = inspect.signature(getattr(optuna.samplers, CLASSES[spec.name])).parameters
    ours = {name: value for name, value in spec if name != "name"}
    assert ours == {name: optunas[name].default for name in ours}
    assert set(optunas) - set(ours) == set(LEFT_OUT[spec.name].split())


def test_only_arguments_that_differ_from_the_defaults_are_passed_on():
    assert TPE().arguments == {}
    assert TPE(n_startup_trials=3, group=True).arguments == {"n_startup_trials": 3, "group": True}


@pytest.mark.parametrize("spec", WITHOUT_SPACE, ids=lambda spec: spec.name)
def test_optuna_accepts_the_arguments(spec):
    arguments = spec.model_dump(exclude={"name"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        getattr(optuna.samplers, CLASSES[spec.name])(**arguments)
