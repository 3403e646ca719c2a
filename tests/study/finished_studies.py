"""Small finished studies: a winner that is trained in this process, its files, its journal."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapters import SVDLinear, adapted_layers
from study.engine.preparation import prepare_data
from study.models import load_backbone
from study.spec import SeedsSpec, StudySpec, dump_spec
from study.storage.events import (
    CandidateScores,
    RaceResult,
    Report,
    StudyOpened,
    TrialCreated,
    WinnerEvaluated,
)
from study.storage.folder import StudyFolder
from study.storage.ledger import Ledger, StudyLedger
from study.storage.opening import open_folder
from study.training.files.artifacts import save_artifacts
from study.training.trial import Trial

ADAPTERS: dict[str, dict[str, Any]] = {
    "adalora_rs": {"b0": 3, "bT": 1, "deltaT": 2, "p": 0.3, "alpha": 8.0, "prune_mode": "mask"},
    "adalora": {"b0": 2, "bT": 1, "deltaT": 2},
    "lora": {"rank": 2},
    "fmft": {},
    "linear_probe": {},
    "peft": {"peft_type": "LORA", "r": 2, "use_dora": True, "init_lora_weights": "pissa"},
}
NAMES = ("coding", "intron", "other")
FRESH = (1001, 1002)
"""The seeds that confirm the winner of a study with a race."""


def three_classes(folder: Path, *, names: bool = False, bases: int = 40) -> Path:
    """Splits of 24 rows, labelled 0, 1 and 2 in turn or by `NAMES`."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    for split in ("train", "dev", "test"):
        labels = [NAMES[i % 3] if names else i % 3 for i in range(24)]
        rows = [f"{''.join(generator.choice(list('ACGT'), bases))},{label}" for label in labels]
        (folder / f"{split}.csv").write_text("\n".join(["sequence,label", *rows]) + "\n")
    return folder


def spec_of(model: object, data: Path, method: str = "lora", **sections: Any) -> StudySpec:
    """A spec of one trial of 6 steps; `sections` have further values, as `task={...}`."""
    return StudySpec.model_validate(
        {
            "backbone": {"name": str(model)} | sections.get("backbone", {}),
            "task": {"path": data} | sections.get("task", {}),
            "adapter": {"method": method, **ADAPTERS[method]} | sections.get("adapter", {}),
            "training": {"steps": 6, "batch_size": 4, "lr": 5e-3, "reports": 1}
            | sections.get("training", {}),
            "search": {"trials": 2},
        }
    )


def trained(spec: StudySpec) -> Trial:
    """The trial of a spec after its training, with singular values that matter."""
    info, data = prepare_data(spec)
    backbone = load_backbone(
        info,
        num_labels=data.num_labels,
        dtype=spec.backbone.dtype,
        random_seed=spec.backbone.random_seed,
    )
    trial = Trial(spec, backbone, data, torch.device("cpu"))
    trial.train_until(trial.plan.total_steps)
    for module in adapted_layers(trial.model).values():
        if isinstance(module, SVDLinear):
            module.lam.data *= 100  # After a few steps lam is still small.
    return trial


def finish(folder: Path, trial: Trial, *, race: bool = False) -> StudyFolder:
    """Writes the folder of a study whose first trial has won; with a race, also its weights."""
    spec, data = trial.spec, trial.data
    ledger = StudyLedger(open_folder(folder, dump_spec(spec)), spec)
    save_artifacts(trial, ledger.folder.best)
    ledger.folder.best_spec.write_text(dump_spec(spec))
    opened = StudyOpened(version=1, name=folder.name, spec="spec.yaml", **data.reports())
    ledger.append(opened)
    seeds = spec.seeds.model_dump()
    for number, score in enumerate((0.5, 0.4)):
        about = {"trial": number, "params": {}, "settings": {}, "seeds": seeds}
        ledger.append(TrialCreated(**about, total_steps=6, reports=1, optuna={}))
        ledger.append(Report(trial=number, report=1, step=6, metrics={ledger.metric: score}))
        ledger.end(ledger.record.trials[number], "complete", "")
    dev, test = {"dev_mcc": 0.5}, {"test_mcc": 0.3}
    outcome = _race(ledger.folder, spec) if race else None
    ledger.append(WinnerEvaluated(trial=0, dev=dev, test=test, race=outcome))
    return ledger.folder


def _race(study: StudyFolder, spec: StudySpec) -> RaceResult:
    """Trains the winner with the seeds of `FRESH`, and writes weights and journal of the race."""
    folder = open_folder(study.finalists, "configurations: {}\n")
    runs = Ledger(folder, spec.objective)
    runs.append(StudyOpened(version=1, name="finalists"))
    seeds = [dict.fromkeys(("init", "data", "mask"), seed) for seed in FRESH]
    for number, one in enumerate(seeds):
        labels = {"configuration": "trial-0", **one}
        about = {"trial": number, "params": labels, "settings": {}, "seeds": one}
        runs.append(TrialCreated(**about, total_steps=6, reports=1, optuna={}))
        again = trained(spec.model_copy(update={"seeds": SeedsSpec(**one)}))
        save_artifacts(again, folder.run_weights(number))
        runs.append(
            Report(trial=number, report=1, step=6, metrics={runs.metric: 0.4 + number / 10})
        )
        runs.end(runs.record.trials[number], "complete", "")
    return RaceResult(
        candidates=[
            CandidateScores(trial=0, search=0.5, fresh=[0.45, 0.4, 0.5]),
            CandidateScores(trial=1, search=0.4, fresh=[0.3]),
        ],
        rounds=[[0, 1]],
        seeds=seeds,
        failed=0,
        dev={"dev_mcc": [0.4, 0.5], "dev_auc": [0.7, 0.8]},
        test={"test_mcc": [0.3, 0.4], "test_auc": [0.6, 0.7]},
    )
