"""Ray's Trainable around one `Trial`: the process in which configurations train, one by one.

A worker loads the backbone once and gets the tokenised data from Ray's object store once; from
then on a new trial costs the injection of its adapters. One Ray `step` is one report.
"""

import time
from pathlib import Path
from typing import Any

import torch
from ray import tune

from study.engine.folder import StudyFolder
from study.engine.resources import Resources
from study.models import Backbone, load_backbone
from study.models.inspect import BackboneInfo
from study.spec import StudySpec, resolve
from study.training.encoded import EncodedTask
from study.training.trial import DivergedError, Trial


class TrialWorker(tune.Trainable):  # type: ignore[misc]
    """Trains the trials that Ray assigns to this process, one after the other."""

    def setup(
        self,
        config: dict[str, Any],
        spec: StudySpec,
        info: BackboneInfo,
        data: EncodedTask,
        folder: StudyFolder,
        wanted: Resources,
    ) -> None:
        """Loads what all trials share, then prepares the first."""
        torch.set_num_threads(wanted.cpus)
        self.spec, self.data, self.folder = spec, data, folder
        self.device = wanted.device
        self.backbone: Backbone = load_backbone(
            info,
            num_labels=data.num_labels,
            dtype=spec.backbone.dtype,
            random_seed=spec.backbone.random_seed,
        )
        self.trial: Trial | None = None
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Prepares the next trial on the backbone that is already here."""
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        self._close()
        self.number = int(config["trial"])
        self._assigned = float(config["assigned"])
        self._params = config["params"]
        resolved = resolve(self.spec, self._params)
        self.trial = Trial(resolved, self.backbone, self.data, self.device)
        self.report = 0
        self._repeated: dict[str, Any] | None = None
        self._start_seconds: float | None = None
        if self._checkpoint.exists():
            self._restore()

    def step(self) -> dict[str, Any]:
        """Trains to the next report point and evaluates on the dev split."""
        if self._repeated is not None:
            # Whether the driver saw this report before the interruption is not known here; it
            # takes a report once.
            repeated, self._repeated = self._repeated, None
            return repeated
        assert self.trial is not None
        if self._start_seconds is None:
            # Between two clocks on a cluster, hence an indication; on one machine exact.
            self._start_seconds = time.time() - self._assigned
        self.report += 1
        result = self._train_and_evaluate(self.trial)
        self._save(result)
        return result

    def _train_and_evaluate(self, trial: Trial) -> dict[str, Any]:
        try:
            loss = trial.train_until(trial.plan.report_steps[self.report - 1])
            scores = {f"dev_{k}": v for k, v in trial.evaluate(self.data.dev).items()}
        except DivergedError:
            loss, scores = float("nan"), {}
        metrics = {
            **scores,
            "train_loss": loss,
            **trial.facts(),
            "start_seconds": self._start_seconds,
        }
        result = {f"metrics/{name}": value for name, value in metrics.items()}
        result[self.spec.objective] = scores.get(self.spec.objective, float("nan"))
        return {"report": self.report, "step": trial.step, **result}

    @property
    def _checkpoint(self) -> Path:
        return self.folder.checkpoint(self.number)

    def _save(self, result: dict[str, Any]) -> None:
        assert self.trial is not None
        partial = self._checkpoint.with_suffix(".partial")
        state = {"trial": self.trial.state_dict(), "result": result, "params": self._params}
        torch.save(state, partial)
        partial.replace(self._checkpoint)

    def _restore(self) -> None:
        assert self.trial is not None
        saved = torch.load(self._checkpoint, map_location=self.device, weights_only=True)
        if saved["params"] != self._params:
            return  # Left behind by a study whose journal is gone.
        self.trial.load_state_dict(saved["trial"])
        self._repeated = saved["result"]
        self.report = int(saved["result"]["report"])

    def _close(self) -> None:
        if self.trial is not None:
            self.trial.close()
            self.trial = None

    def cleanup(self) -> None:
        """Lets the trial go before the process ends."""
        self._close()
