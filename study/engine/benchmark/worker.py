"""Ray's Trainable for the runs of a benchmark, which differ in backbone, task and settings.

A worker keeps the backbone of its last run, which the next run usually shares.
"""

import time
from collections.abc import Sequence
from typing import Any

import ray
import torch
from typing_extensions import override

from study.engine.benchmark.inputs import BenchmarkInputs
from study.engine.benchmark.runs import BenchmarkRun
from study.engine.comparison.outputs import evaluate_run
from study.engine.nodes import check_study_folder, naming_the_node
from study.engine.reporting import result_of
from study.engine.worker import TrainingWorker, scores
from study.models import Backbone, load_backbone
from study.storage.folder import StudyFolder
from study.tasks.baselines import BASELINES
from study.training.cnn_baseline import cnn
from study.training.trial import Trial


class RunWorker(TrainingWorker):
    """Trains the runs that Ray assigns to this process."""

    @override
    def setup(
        self,
        config: dict[str, Any],
        runs: Sequence[BenchmarkRun],
        inputs: BenchmarkInputs,
        folder: StudyFolder,
        objective: str,
    ) -> None:
        """Stores what all runs share, then prepares the first run."""
        self.runs, self.inputs, self.folder = runs, inputs, folder
        self.objective = objective
        with naming_the_node():
            check_study_folder(folder)
        self._backbone: tuple[Any, Backbone] | None = None
        self._start(config)

    @override
    def _prepare(self, config: dict[str, Any]) -> Trial | None:
        torch.set_num_threads(config["cpus"])
        self.run_: BenchmarkRun = self.runs[config["run"]]
        if self.run_.cell.is_baseline:
            return None
        cuda = config["gpus"] and torch.cuda.is_available()
        spec = self.run_.spec
        info, data = self.inputs.of(self.run_)
        encoded = ray.get(data)
        key = (info, spec.backbone, encoded.num_labels)
        if self._backbone is None or self._backbone[0] != key:
            self._backbone = None  # Two large models at once may not fit into memory.
            with naming_the_node():
                loaded = load_backbone(
                    info,
                    num_labels=encoded.num_labels,
                    dtype=spec.backbone.dtype,
                    random_seed=spec.backbone.random_seed,
                )
            self._backbone = (key, loaded)
        data = encoded.at(spec.seeds.data)
        return Trial(spec, self._backbone[1], data, torch.device("cuda" if cuda else "cpu"))

    @override
    def step(self) -> dict[str, Any]:
        """Trains to the next report point; a baseline is complete in one step."""
        return self._baseline() if self.run_.cell.is_baseline else super().step()

    def _baseline(self) -> dict[str, Any]:
        started = time.perf_counter()
        task = ray.get(self.inputs.task_of(self.run_))
        name = self.run_.cell.method
        metrics = cnn(task) if name == "cnn" else BASELINES[name](task)
        seconds = time.perf_counter() - started
        facts = {
            "train_loss": metrics["dev_loss"],
            "train_seconds": seconds,
            "test_rows": len(task.test),
            "classes": task.num_labels,
        }
        return result_of(1, 1, metrics | facts, self.objective)

    @override
    def _scores(self, trial: Trial) -> dict[str, float]:
        """Returns the dev scores; with the last report also those of test, and writes outputs."""
        metrics = scores(trial, "dev")
        if self.report == len(trial.plan.report_steps):
            facts = {"test_rows": len(trial.data.test), "classes": trial.data.num_labels}
            outputs = evaluate_run(self.folder, self.number, trial, ["test"], with_labels=True)
            metrics |= outputs | facts
        return metrics
