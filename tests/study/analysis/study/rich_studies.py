"""A made-up study that has every chart: many trials, a crash, a race, triplets, many seeds."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from study.storage.predictions import SPLITS, Predictions, SplitPredictions, write_predictions
from study.storage.race import candidates, rounds
from tests.study.analysis.comparison import made_comparisons
from tests.study.analysis.study.made_studies import MadeStudy, made_trace, opt_modules

SPEC = """\
backbone: {name: opt-125m}
task: {name: emp/H3}
adapter:
  method: adalora_rs
  p: {type: float, low: 0.0, high: 0.3}
  b0: {type: int, low: 6, high: 12}
  bT: {type: float, low: 0.25, high: 1.0, ratio_of: b0}
  deltaT: {type: float, low: 0.02, high: 0.3, log: true}
  prune_mode: {type: categorical, choices: [zero, mask]}
training:
  lr: {type: float, low: 1e-4, high: 1e-2, log: true, role: nuisance}
  steps: 80
  reports: 8
search: {trials: TRIALS, metric: mcc, sampler: {name: random}}
scheduler: {name: asha, reduction_factor: 2, grace_fraction: 0.25}
"""
LAYERS, B0 = 2, 10
"""Layers and triplets per matrix of the runs with mask events."""


def rich_study(path: Path, trials: int = 24, fits: bool = True) -> MadeStudy:
    """Writes the study. The score falls with p and has its best at lr = 1e-3; nothing else acts.

    Args:
        path: its folder.
        trials: their number, at least 12.
        fits: whether so many are complete that curves and importance can be estimated.
    """
    study = MadeStudy(path, SPEC.replace("TRIALS", str(trials)))
    rng = np.random.default_rng(1)
    for trial in range(trials):
        params = {
            "p": float(rng.uniform(0, 0.3)), "b0": int(rng.integers(6, 13)),
            "bT_ratio": float(rng.uniform(0.25, 1)), "deltaT": float(0.02 * 15 ** rng.random()),
            "prune_mode": ("zero", "mask")[trial % 2], "lr": float(1e-4 * 100 ** rng.random()),
        }  # fmt: skip
        score = 0.55 - params["p"] - 0.05 * (np.log10(params["lr"]) + 3) ** 2
        score += 0.01 * rng.standard_normal()
        if trial == 4:
            study.create(trial, params)
            study.append(
                "crashed", trial=trial, attempt=1, fault=True, reason="OSError: disk full"
            )
            study.append("resumed")
            study.report(trial, 1, None)
            study.decide(trial, 1, "fail", reason="diverged: the loss is not finite")
            study.end(trial, "failed", "diverged: the loss is not finite")
        else:
            stops = trial % 3 == 0 if fits else trial > 6
            reports = 3 if stops else 8
            curve = [float(score * (1 - 0.6 ** (k + 1))) for k in range(reports)]
            study.run(trial, list(curve), params)
    _race(study, rng)
    return study


def mask_events(rng: np.random.Generator, events: int = 6) -> dict[str, Any]:
    """Returns the arrays of a file of mask events, and `kept` of the last one."""
    modules = opt_modules(LAYERS)
    triplets = len(modules) * B0
    importance = rng.standard_normal(triplets) + np.repeat(np.linspace(1, -1, len(modules)), B0)
    kept, top, scores = [], [], []
    for event in range(events):
        own = importance + 0.3 * rng.standard_normal(triplets)
        budget = round(triplets * (1 - 0.5 * (event + 1) / events))
        chosen = own >= np.sort(own)[-budget]
        flipped = rng.random(triplets) < 0.05
        top.append(chosen)
        kept.append(chosen ^ flipped)
        scores.append(np.exp(own - 10))
    steps = [10 * (event + 1) for event in range(events)]
    scored = [0, (events - 1) // 2, events - 1]
    return {
        "modules": np.array(modules),
        "event_steps": np.array(steps),
        "event_kept": np.packbits(kept, axis=1),
        "event_top": np.packbits(top, axis=1),
        "scored_steps": np.array(steps)[scored],
        "event_scores": np.array(scores, dtype=np.float32)[scored],
        "kept": kept[-1].reshape(len(modules), B0),
    }


def made_predictions(
    names: tuple[str, ...] = ("exon", "intron", "splice site"), rows: int = 90
) -> Predictions:
    """Returns predictions that are right more often than not; later classes have more rows."""
    rng, classes = np.random.default_rng(2), len(names)
    splits = {}
    for split in SPLITS:
        labels = np.sort(rng.integers(classes, size=(2, rows)).max(axis=0))
        logits = rng.standard_normal((rows, classes)) + 1.5 * np.eye(classes)[labels]
        splits[split] = SplitPredictions(logits.astype(np.float32), labels)
    return Predictions(splits, names)


def _race(study: MadeStudy, rng: np.random.Generator) -> None:
    """Writes the runs of a race with their outputs, the winner and best/."""
    data = study.read()
    racing = [trial.number for trial in candidates(data.record, data.spec)]
    winner, *others = racing[1], racing[0], *racing[2:]
    fresh = {winner: [0.46, 0.47, 0.45, 0.48, 0.44]} | {other: [0.42] for other in others}
    runs = MadeStudy(study.folder.finalists, reports=1)
    runs.folder.outputs.mkdir()
    number = 0
    for trial, scores in fresh.items():
        for repeat, score in enumerate(scores):
            labels = {"configuration": f"trial-{trial}", "mask": repeat, "init": 1, "data": 1}
            seeds = dict.fromkeys(("init", "data", "mask"), 1000 + repeat)
            runs.append(
                "created", trial=number, params=labels, settings={"p": 0.1}, seeds=seeds,
                total_steps=80, reports=1, optuna={},
            )  # fmt: skip
            runs.report(number, 1, score)
            runs.end(number, "complete")
            np.savez(runs.folder.output(number), **mask_events(rng))
            number += 1
    scores = {trial.number: trial.value for trial in data.trials}
    race = {
        "candidates": [{"trial": t, "search": scores[t], "fresh": fresh[t]} for t in racing],
        "rounds": [[winner, *others][:size] for size, _ in rounds(len(racing))], "failed": 0,
        "seeds": [{"init": s, "data": s, "mask": s} for s in (1003, 1004)],
        "dev": {"dev_mcc": [0.48, 0.44]}, "test": {"test_mcc": [0.45, 0.43]},
    }  # fmt: skip
    study.folder.best.mkdir()
    (study.folder.best / "budget_trace.json").write_text(json.dumps(made_trace(LAYERS, B0)))
    arrays = mask_events(rng)
    del arrays["kept"]
    np.savez(study.folder.best / "mask_events.npz", **arrays)
    write_predictions(study.folder.predictions, made_predictions())
    study.append("winner", trial=winner, dev={"dev_mcc": 0.5}, test={"test_mcc": 0.4}, race=race)


def many_seeds(study: MadeStudy) -> None:
    """Writes the comparison that belongs to a study, beside it."""
    path = study.folder.path
    rows = made_comparisons.crossed(seeds=(3, 2, 2))
    folder = made_comparisons.write(path.with_name(f"{path.name}-seeds"), rows)
    made_comparisons.write_outputs(made_comparisons.write_spec(folder), rows)
