"""Ray's Trainable around one `Trial`: the process in which configurations train, one by one.

A worker loads the backbone once and gets the tokenised data from Ray's object store once; from
then on a new trial costs the injection of its adapters. One Ray `step` is one report.
"""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from ray import tune
from typing_extensions import override

from study.engine.checkpoints import load, save
from study.engine.nodes import check_study_folder, naming_the_node
from study.engine.reporting import result_of
from study.engine.resources import Resources
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
    """Trains what Ray assigns to this process, one trial after the other.

    A subclass loads in `setup` what is shared, calls `_start` with the first assignment, and says
    in `_prepare` what an assignment means.
    """

    trial: Trial | None = None
    objective: str
    """The metric that Ray is told by its own name."""
    folder: StudyFolder

    @override
    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Prepares the next trial with what is already here."""
        self._start(new_config)
        return True

    def _prepare(self, config: dict[str, Any]) -> Trial | None:
        """Returns the trial of an assignment before its first step; None if nothing trains."""
        raise NotImplementedError

    def _start(self, config: dict[str, Any]) -> None:
        self._close()
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
        self._unless_out_of_memory(lambda: self._take_up(config))

    def _take_up(self, config: dict[str, Any]) -> None:
        self.trial = self._prepare(config)
        self._restore()

    @override
    def step(self) -> dict[str, Any]:
        """Trains to the next report point and evaluates on the dev split."""
        result = None if self._failure else self._unless_out_of_memory(self._report)
        if result is None:
            result = result_of(self.report, 0, {}, self.objective) | {"failure": self._failure}
        warnings, self._warnings = self._warnings, []
        return result | {"warnings": warnings}

    def _report(self) -> dict[str, Any]:
        if self._repeated:
            # Whether the driver saw this report before the interruption is not known here; it
            # takes a report once.
            return self._repeated.pop(0)
        assert self.trial is not None
        if self._start_seconds is None:
            # Between two clocks on a cluster, hence an indication; on one machine exact.
            self._start_seconds = time.time() - self._assigned
        self.report += 1
        result = self._train_and_evaluate(self.trial)
        self._save(self.trial, result)
        return result

    def _unless_out_of_memory(self, work: Callable[[], Result]) -> Result | None:
        """Returns what `work` does; if memory does not suffice, lets the trial go.

        The process stays fit for the next trial.
        """
        try:
            return work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._failure = f"{OUT_OF_MEMORY}: {(str(error).splitlines() or ['no details'])[0]}"
        # Outside of the handler, whose traceback holds on to the tensors.
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
        """The trial's facts; its peak of memory counts what it took before an interruption."""
        facts = trial.facts()
        self._peak = max(self._peak, facts["peak_memory_gib"])
        return facts | {"peak_memory_gib": self._peak}

    def _scores(self, trial: Trial) -> dict[str, float]:
        return scores(trial, "dev")

    def _save(self, trial: Trial, result: dict[str, Any]) -> None:
        state = {"trial": trial.state_dict(), "result": result, "params": self._params}
        self._warn(save(self.folder, self.number, state))

    def _restore(self) -> None:
        """Goes on from the last checkpoint that follows from the journal."""
        saved, warnings = load(self.folder, self.number, self._follows)
        for warning in warnings:
            self._warn(warning)
        if saved is not None and self.trial is not None:
            self.trial.load_state_dict(saved["trial"])
            self._repeated = [saved["result"]]
            self.report = int(saved["result"]["report"])
            self._peak = float(saved["result"].get("metrics/peak_memory_gib", 0.0))

    def _follows(self, saved: dict[str, Any]) -> bool:
        """Whether a checkpoint is of these parameters, and no more than a report ahead.

        One of other parameters is a lost study's; a study that has grown knows more of them now.
        One further ahead was made after the copy of the journal that was put back.
        """
        of_these = saved["params"].items() <= self._params.items()
        return bool(of_these and saved["result"]["report"] <= self._journalled + 1)

    def _warn(self, text: str) -> None:
        """Has the driver journal a warning with the next report."""
        if text:
            self._warnings.append(text)

    def _close(self) -> None:
        if self.trial is not None:
            self.trial.close()
            self.trial = None

    @override
    def cleanup(self) -> None:
        """Lets the trial go before the process ends."""
        self._close()


class TrialWorker(TrainingWorker):
    """Trains the trials of one study: one backbone, one task, many settings."""

    @override
    def setup(
        self,
        config: dict[str, Any],
        spec: StudySpec,
        info: BackboneInfo,
        data: EncodedTask,
        folder: StudyFolder,
        wanted: Resources,
        compared_at: Sequence[int],
    ) -> None:
        """Loads what all trials share, then prepares the first.

        `compared_at` are the reports at which the score at the final budget is wanted too.
        """
        self.spec, self.data, self.folder = spec, data, folder
        self.compared_at = compared_at
        self.objective = spec.objective
        self.device = wanted.device
        with naming_the_node():
            check_study_folder(folder)
            self.backbone: Backbone = load_backbone(
                info,
                num_labels=data.num_labels,
                dtype=spec.backbone.dtype,
                random_seed=spec.backbone.random_seed,
            )
        torch.set_num_threads(wanted.cpus)
        self._start(config)

    @override
    def _prepare(self, config: dict[str, Any]) -> Trial:
        resolved = resolve(self.spec, config["params"], config["seeds"])
        return Trial(resolved, self.backbone, self.data, self.device)

    @override
    def _scores(self, trial: Trial) -> dict[str, float]:
        now = trial.evaluate(trial.data.dev)
        found = {f"dev_{name}": value for name, value in now.items()}
        if self.report in self.compared_at:
            metric = self.spec.search.metric
            found[f"{self.objective}_at_bT"] = trial.evaluate_at_final_budget(trial.data.dev, now)[
                metric
            ]
        return found


def scores(trial: Trial, split: str) -> dict[str, float]:
    """Returns a split's metrics by the names of the tables: dev_mcc and so on."""
    found = trial.evaluate(getattr(trial.data, split))
    return {f"{split}_{name}": value for name, value in found.items()}
