"""Optuna's own contracts for samplers and storages, on those that a study uses.

Every suite that applies, on one sampler each: all of them go the same way through our class, and
Optuna tests its own. The grid is in none, as it needs its own space and the suites have
others; of those that know one objective, the only one here is CMA-ES.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)
from optuna.testing.pytest_storages import StorageTestCase

from study.engine.scheduling.optuna_file import open_storage
from study.engine.scheduling.samplers import ReseededSampler
from study.spec import load_spec
from study.storage.folder import StudyFolder

pytestmark = pytest.mark.filterwarnings("ignore")


def reseeded(sampler: str) -> Callable[[], BaseSampler]:
    spec = load_spec("smoke", [f"search.sampler={{{sampler}}}"])
    return lambda: ReseededSampler(spec)


class TestBasic(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return reseeded("name: tpe")


class TestRelative(RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return reseeded("name: tpe, n_startup_trials: 0")


class TestMultiObjective(MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return reseeded("name: nsgaii")


class TestSingleOnly(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return reseeded("name: cmaes")


class TestStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Any:
        return open_storage(StudyFolder(tmp_path))
