"""A study through Ray Tune whose workers only report."""

import random
from typing import Any

import ray
from ray import tune

from study.engine.cluster import running_ray
from study.engine.scheduling.asha import AshaScheduler
from study.engine.scheduling.search import OptunaSearcher
from study.engine.tuning import fit
from study.spec import StudySpec
from study.storage.ledger import StudyLedger
from tests.benchmarks.simulated_driver import plan, report_of


class TrivialWorker(tune.Trainable):
    """Reports a score that rises to the trial's quality."""

    def setup(self, config: dict[str, Any], spec: StudySpec) -> None:
        """Starts the first trial."""
        self.spec = spec
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Starts another trial."""
        self.draw, self.report = random.Random(new_config["trial"]), 0
        self.quality = self.draw.random()
        return True

    def step(self) -> dict[str, Any]:
        """Reports immediately."""
        self.report += 1
        return report_of(self.spec, self.report, self.quality, self.draw.random())


def made_for(ledger: StudyLedger, concurrent: int) -> tuple[OptunaSearcher, AshaScheduler]:
    """Returns the searcher and the scheduler of a study."""
    return OptunaSearcher(ledger, plan, lambda: concurrent), AshaScheduler(ledger)


def run(
    ledger: StudyLedger, searcher: OptunaSearcher, scheduler: AshaScheduler, concurrent: int
) -> None:
    """Runs the trials of a study on a local Ray cluster, `concurrent` at a time."""
    with running_ray(None):
        worker = tune.with_parameters(TrivialWorker, spec=ledger.spec)
        share = ray.cluster_resources()["CPU"] / concurrent
        fit(tune.with_resources(worker, {"cpu": share}), searcher, scheduler, ledger)
