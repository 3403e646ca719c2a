"""Ray's Trainable around `Trial`: a process in which trials are trained one after the other.

A worker loads the backbone once and fetches the tokenised data from Ray's object store once; every
further trial only needs new adapters. One Ray `step` is one report.
"""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from ray import tune
from typing_extensions import override

from study.engine.checkpoints import load, save
from study.engine.machine import Usage
from study.engine.nodes import check_study_folder, naming_the_node
from study.engine.reporting import result_of, system_result
from study.engine.resources import Resources
from study.engine.stalls import Heartbeat
from study.models import Backbone, load_backbone
from study.models.info import BackboneInfo
from study.spec import StudySpec, resolve
from study.storage.folder import StudyFolder
from study.storage.record import OUT_OF_MEMORY
from study.training.encoding import EncodedTask
from study.training.memory import is_out_of_memory
from study.training.trial import DivergedError, Trial

Result = TypeVar("Result")


class TrainingWorker(tune.Trainable):  # type: ignore[misc]
    """Trains the trials that Ray assigns to this process.

    A subclass loads shared objects in `setup`, calls `_start` with the first configuration there,
    and makes a trial of a configuration in `_prepare`.
    """

    trial: Trial | None = None
    objective: str
    """The metric that Ray gets under its own name."""
    folder: StudyFolder

    @override
    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Prepares the next trial in this process."""
        self._start(new_config)
        return True

    def _prepare(self, config: dict[str, Any]) -> Trial | None:
        """Returns the trial of a configuration before its first step; None for a baseline."""
        raise NotImplementedError

    def _start(self, config: dict[str, Any]) -> None:
        self._close()
        self._show_life(self.folder, config)
        self.number = int(config["trial"])
        self._assigned = float(config["assigned"])
        self._params = config["params"]
        self._journalled = int(config["reports"])
        self._peak = 0.0
        self.report = 0
        self._repeated: list[dict[str, Any]] = []
        self._start_seconds: float | None = None
        self._warnings: list[str] = []
        self._failure = ""
        self._usage = Usage()
        self._catch_out_of_memory(lambda: self._begin(config))

    def _show_life(self, folder: StudyFolder, config: dict[str, Any]) -> None:
        """Lets the driver see that this process works on a trial from now on."""
        self._heartbeat = Heartbeat(folder, int(config["trial"]))

    def _begin(self, config: dict[str, Any]) -> None:
        self.trial = self._prepare(config)
        if self.trial is not None:
            self.trial.on_batch = self._heartbeat.beat
        self._restore()

    @override
    def step(self) -> dict[str, Any]:
        """Trains to the next report point and evaluates on the dev split."""
        self._heartbeat.beat()
        result = None if self._failure else self._catch_out_of_memory(self._report)
        if result is None:
            result = result_of(self.report, 0, {}, self.objective) | {"failure": self._failure}
        warnings, self._warnings = self._warnings, []
        return result | {"warnings": warnings, **system_result(self._usage.sample())}

    def _report(self) -> dict[str, Any]:
        if self._repeated:
            # The driver may have recorded this report before the interruption; it ignores
            # repeated reports.
            return self._repeated.pop(0)
        assert self.trial is not None
        if self._start_seconds is None:
            # Exact on one machine, approximate between two clocks of a cluster.
            self._start_seconds = time.time() - self._assigned
        self.report += 1
        result = self._train_and_evaluate(self.trial)
        self._save(self.trial, result)
        return result

    def _catch_out_of_memory(self, work: Callable[[], Result]) -> Result | None:
        """Returns the result of `work`; None, and no trial, if memory does not suffice.

        The process remains usable for the next trial.
        """
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._failure = f"{OUT_OF_MEMORY}: {(str(error).splitlines() or ['no details'])[0]}"
        # Outside of the handler, whose traceback refers to the tensors.
        self._close()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _train_and_evaluate(self, trial: Trial) -> dict[str, Any]:
        try:
            loss = self._train_until(trial, trial.plan.report_steps[self.report - 1])
            scores = self._scores(trial)
        except DivergedError:
            loss, scores = float("nan"), {}
        metrics = {
            **scores,
            "train_loss": loss,
            **self._facts(trial),
            "start_seconds": self._start_seconds,
        }
        return result_of(self.report, trial.step, metrics, self.objective)

    def _train_until(self, trial: Trial, step: int) -> float:
        """Trains up to a report; returns the mean training loss since the last one."""
        return trial.train_until(step)

    def _facts(self, trial: Trial) -> dict[str, float]:
        """Returns the trial's facts, with the peak of memory over all interruptions."""
        facts = trial.facts()
        self._peak = max(self._peak, facts["peak_memory_gib"])
        return facts | {"peak_memory_gib": self._peak}

    def _scores(self, trial: Trial) -> dict[str, float]:
        return scores(trial, "dev")

    def _save(self, trial: Trial, result: dict[str, Any]) -> None:
        state = {"trial": trial.state_dict(), "result": result, "params": self._params}
        self._warn(save(self.folder, self.number, state))

    def _restore(self) -> None:
        """Continues from the last checkpoint that is consistent with the journal."""
        saved, warnings = load(self.folder, self.number, self._is_consistent)
        for warning in warnings:
            self._warn(warning)
        if saved is not None and self.trial is not None:
            self.trial.load_state_dict(saved["trial"])
            self._repeated = [saved["result"]]
            self.report = int(saved["result"]["report"])
            self._peak = float(saved["result"].get("metrics/peak_memory_gib", 0.0))

    def _is_consistent(self, saved: dict[str, Any]) -> bool:
        """Whether a checkpoint has these parameters and is at most one report ahead.

        Other parameters belong to a lost study; a study that has grown may have more of them now.
        One further ahead was written after the backup from which the journal was restored.
        """
        same_params = saved["params"].items() <= self._params.items()
        return bool(same_params and saved["result"]["report"] <= self._journalled + 1)

    def _warn(self, text: str) -> None:
        """Sends a warning to the driver with the next report."""
        if text:
            self._warnings.append(text)

    def _close(self) -> None:
        if self.trial is not None:
            self.trial.close()
            self.trial = None

    @override
    def cleanup(self) -> None:
        """Releases the trial before the process ends."""
        self._close()


class TrialWorker(TrainingWorker):
    """Trains the trials of one study, which share backbone and task."""

    @override
    def setup(
        self,
        config: dict[str, Any],
        spec: StudySpec,
        info: BackboneInfo,
        data: EncodedTask,
        folder: StudyFolder,
        trial_resources: Resources,
        final_budget_reports: Sequence[int],
    ) -> None:
        """Loads backbone and data, then prepares the first trial.

        `final_budget_reports` are the reports with an additional score at the final budget.
        """
        self.spec, self.data, self.folder = spec, data, folder
        self.final_budget_reports = final_budget_reports
        self.objective = spec.objective
        self.device = trial_resources.device
        self._show_life(folder, config)
        with naming_the_node():
            check_study_folder(folder)
            self.backbone: Backbone = load_backbone(
                info,
                num_labels=data.num_labels,
                dtype=spec.backbone.dtype,
                random_seed=spec.backbone.random_seed,
            )
        torch.set_num_threads(trial_resources.cpus)
        self._start(config)

    @override
    def _prepare(self, config: dict[str, Any]) -> Trial:
        resolved = resolve(self.spec, config["params"], config["seeds"])
        return Trial(resolved, self.backbone, self.data, self.device)

    @override
    def _scores(self, trial: Trial) -> dict[str, float]:
        metrics = trial.evaluate(trial.data.dev)
        scores = {f"dev_{name}": value for name, value in metrics.items()}
        if self.report in self.final_budget_reports:
            metric = self.spec.search.metric
            at_final_budget = trial.evaluate_at_final_budget(trial.data.dev, metrics)
            scores[f"{self.objective}_at_bT"] = at_final_budget[metric]
        return scores


def scores(trial: Trial, split: str) -> dict[str, float]:
    """Returns the metrics of a split by their names in tables, such as dev_mcc."""
    metrics = trial.evaluate(getattr(trial.data, split))
    return {f"{split}_{name}": value for name, value in metrics.items()}
