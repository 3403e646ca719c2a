"""The files of a trained trial: adapter weights, head, budget trace, mask events.

The metadata of each safetensors file say what it is of: backbone, task, settings, seeds. That of
the adapters also has the layers and the allocator's settings.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from adapters import save_adapters
from study.training.files.identity import identity
from study.training.files.mask_events import mask_event_arrays
from study.training.peft.files import save_peft
from study.training.trial import Trial


def save_artifacts(trial: Trial, folder: Path) -> None:
    """Writes adapters.safetensors, head.safetensors, budget_trace.json and mask_events.npz.

    Full fine-tuning, which has no adapters, writes model.safetensors instead. The trace has one
    entry per mask event: step, budget, kept, reintroduced, dropped, the rank of every matrix and
    the penalty's share of the median score. mask_events.npz has the triplets that every event
    kept: see `mask_event_arrays`. Methods without a rank allocator have neither.
    """
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {
        "backbone": trial.spec.backbone.name,
        "method": trial.spec.adapter.method,
        "task": trial.data.name,
        **identity(trial.spec),
    }
    head = {name: p.detach().cpu().contiguous() for name, p in trial.prepared.head.items()}
    save_file(head, folder / "head.safetensors", metadata)
    if trial.prepared.adapters:
        save_adapters(
            trial.model,
            folder / "adapters.safetensors",
            metadata,
            allocator=trial.allocator,
        )
    if trial.prepared.peft is not None:
        save_peft(trial.prepared.peft, folder / "adapters.safetensors", metadata)
    if trial.prepared.backbone:
        model = {n: p.detach().cpu().contiguous() for n, p in trial.prepared.backbone.items()}
        save_file(model, folder / "model.safetensors", metadata)
    if trial.allocator is not None:
        trace = [{"step": event.pop("t"), **event} for event in trial.allocator.trace()]
        (folder / "budget_trace.json").write_text(json.dumps(trace, indent=1) + "\n")
        np.savez_compressed(folder / "mask_events.npz", **mask_event_arrays(trial))
