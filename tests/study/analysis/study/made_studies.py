"""Study folders written event by event, so that tests of the report need not train."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from study.analysis.study.reading import StudyData, read_study
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy

SPEC = """\
backbone: {name: opt-dna-mini}
task: {name: promoters, train: 320, dev: 128, test: 128}
adapter:
  method: adalora_rs
  p: {type: float, low: 0.0, high: 0.3}
  b0: {type: int, low: 6, high: 14}
  bT: {type: float, low: 0.25, high: 1.0, ratio_of: b0}
  deltaT: 10
training:
  lr: {type: float, low: 1e-4, high: 1e-2, log: true, role: nuisance}
  steps: 80
  reports: 8
search: {trials: 4, metric: mcc, sampler: {name: random}}
scheduler: {name: asha, reduction_factor: 2, grace_fraction: 0.25}
"""

FIXED = """\
adapter: {method: lora}
training: {steps: 80, reports: 8}
search: {trials: 4, metric: loss}
scheduler: {name: none}
"""

PARAMS = {"p": 0.1, "b0": 10, "bT_ratio": 0.5, "lr": 1e-3}


class MadeStudy:
    """Appends events as the driver would, one second apart."""

    def __init__(self, path: Path, spec: str = SPEC, steps: int = 80, reports: int = 8) -> None:
        path.mkdir(parents=True)
        self.folder = StudyFolder(path)
        self.steps, self.reports = steps, reports
        self._time = 1_700_000_000.0
        self.folder.spec.write_text(spec)
        self.append("study", version=1, name=path.name, spec="spec.yaml")

    def append(self, event: str, **fields: Any) -> None:
        """Appends one event."""
        self.append_all([(event, fields)])

    def append_all(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Appends events, given by name and fields."""
        with self.folder.journal.open("a") as file:
            for event, fields in events:
                self._time += 1
                file.write(json.dumps({"event": event, "time": self._time} | fields) + "\n")

    def read(self) -> StudyData:
        """Returns the study as the report reads it."""
        return read_study(StoredStudy.read(self.folder))

    def create(self, trial: int, params: dict[str, Any] | None = None) -> None:
        """Starts a trial."""
        params = dict(PARAMS if params is None else params)
        settings = {k: v for k, v in params.items() if k != "bT_ratio"}
        if "bT_ratio" in params:
            settings["bT"] = max(1, round(params["bT_ratio"] * params["b0"]))
        seeds = {"init": 0, "data": 0, "mask": 0}
        self.append(
            "created", trial=trial, params=params, settings=settings, seeds=seeds,
            total_steps=self.steps, reports=self.reports, optuna={"trial": {}, "study": {}},
        )  # fmt: skip

    def report(
        self, trial: int, report: int, score: float | None, metric: str = "dev_mcc"
    ) -> None:
        """Reports a score and the other metrics of a trial of AdaLoRA+RS."""
        metrics = {
            metric: score, "dev_auc": 0.75, "train_loss": 0.5, "adapter_parameters": 92400,
            "kept_parameters": 47880, "head_parameters": 256, "trainable_parameters": 92656,
            "budget": 120, "kept": 118, "rank": 117, "reintroduced": 10, "dropped": 12,
        }  # fmt: skip
        step = report * self.steps // self.reports
        self.append("report", trial=trial, report=report, step=step, metrics=metrics)

    def decide(
        self, trial: int, report: int, decision: str, cutoff: float | None = None, reason: str = ""
    ) -> None:
        """Records the decision of the scheduler."""
        fields = {"decision": decision, "reason": reason, "cutoff": cutoff}
        self.append("decision", trial=trial, report=report, **fields)

    def end(self, trial: int, state: str, reason: str = "") -> None:
        """Ends a trial."""
        self.append("ended", trial=trial, state=state, reason=reason, value=None)

    def run(
        self, trial: int, scores: list[float | None], params: dict[str, Any] | None = None
    ) -> None:
        """Runs a trial: complete if it has all reports, else stopped at its last one."""
        self.create(trial, params)
        for report, score in enumerate(scores, start=1):
            self.report(trial, report, score)
            last = report == len(scores)
            stopped = last and report < self.reports
            decision = "stop" if stopped else "complete" if last else "continue"
            self.decide(trial, report, decision, 0.3 if stopped else None)
        self.end(trial, "complete" if len(scores) == self.reports else "pruned")

    def set_winner(self, trial: int, trace: list[dict[str, Any]] | None = None) -> None:
        """Records the winner and writes its budget trace."""
        self.folder.best.mkdir()
        if trace is not None:
            (self.folder.best / "budget_trace.json").write_text(json.dumps(trace))
        dev, test = {"dev_mcc": 0.5, "dev_auc": 0.75}, {"test_mcc": 0.4, "test_auc": 0.7}
        self.append("winner", trial=trial, dev=dev, test=test)


def finish(study: MadeStudy) -> None:
    """Adds two complete trials, one stopped early, one failed, and a winner."""
    study.run(0, [0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.48, 0.5])
    study.run(1, [0.1, 0.25], {"p": 0.3, "b0": 8, "bT_ratio": 0.25, "lr": 2e-4})
    study.run(2, [0.1, 0.3, 0.3, 0.3, 0.3, 0.3, 0.6, 0.41])
    study.create(3)
    study.report(3, 1, None)
    study.decide(3, 1, "fail", reason="diverged: the loss is not finite")
    study.end(3, "failed", "diverged: the loss is not finite")
    study.set_winner(0, made_trace())


def opt_modules(layers: int) -> list[str]:
    """The adapted modules of an OPT model, not in the order of the report."""
    names = ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj")
    parts = (*names, "fc1", "fc2")
    return [f"model.decoder.layers.{layer}.{part}" for layer in range(layers) for part in parts]


def made_trace(
    layers: int = 2, b0: int = 10, bT: int = 5, T: int = 60, deltaT: int = 10
) -> list[dict[str, Any]]:
    """Mask events on the cubic schedule, with made-up ranks."""
    modules, generator = opt_modules(layers), np.random.default_rng(0)
    events = []
    for t in sorted({*range(deltaT, T, deltaT), T}):
        budget = math.floor(len(modules) * (bT + (b0 - bT) * (1 - t / T) ** 3))
        mean = budget / len(modules)
        ranks = generator.binomial(b0, mean / b0, len(modules)).tolist()
        kept = sum(ranks)
        event = {"step": t, "budget": budget, "kept": kept, "reintroduced": 5 + kept - budget}
        events.append(event | {"dropped": 5, "ranks": dict(zip(modules, ranks, strict=True))})
    return events
