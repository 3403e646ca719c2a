"""The winner's rank of every layer as arguments of `peft.LoraConfig`, and how far seeds agree.

lora_config.json    `peft.LoraConfig(**json.load(file))` gives every layer its rank and the scale
                    of the winner, alpha / b0; layers with rank 0 are not targets
ranks.json          ranks of all layers, and how far the winner's runs in the race agree on them
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from study.analysis.comparison.agreement.layers import layer_agreement
from study.analysis.comparison.outputs import read_outputs
from study.analysis.comparison.results import read_results
from study.engine.stored_winner import StoredWinner
from study.errors import InputError
from study.export.formats import Written
from study.spec import AdaLoraRSSpec, AdaLoraSpec, LoraSpec
from study.spec.rank_pattern import ranks_of_study
from study.storage.folder import StudyFolder
from study.storage.runs import label_of_trial


def check(winner: StoredWinner, to: str) -> None:
    """Checks that the winner has a rank of its own in every layer.

    Raises:
        InputError: it has not.
    """
    _ranks(winner, to)


def write(winner: StoredWinner, to: str, out: Path) -> Written:
    """Writes lora_config.json and ranks.json."""
    ranks, scale = _ranks(winner, to), _scale(winner)
    _dump(lora_arguments(ranks, scale), out / "lora_config.json")
    runs = _of_race(winner)
    content: dict[str, Any] = {"ranks": ranks}
    remarks = [
        "peft.LoraConfig(**json.load(open('lora_config.json'))) gives the layers these ranks"
    ]
    if len(runs) > 1:
        layers, mean, by_chance = layer_agreement(list(runs.values()))
        content |= {
            "runs": list(runs),
            "agreement": mean,
            "agreement_by_chance": by_chance,
            "layers": {name: asdict(layer) for name, layer in layers.items()},
        }
        remarks.append(
            f"agreement of {len(runs)} runs on the rank of a layer: {mean:.2f} of 1 on average; "
            f"with layers in a random order {by_chance:.2f}"
        )
    else:
        remarks.append("the study has no race, so that it is not known how far seeds agree")
    _dump(content, out / "ranks.json")
    return Written(remarks)


def lora_arguments(ranks: Mapping[str, int], scale: float) -> dict[str, Any]:
    """Returns arguments of `peft.LoraConfig`; the update of every layer is scaled by `scale`.

    `r` is the most frequent rank. `rank_pattern` has every layer, so that none depends on it.
    """
    adapted = {name: rank for name, rank in ranks.items() if rank}
    common = Counter(adapted.values()).most_common(1)[0][0]
    return {
        "r": common,
        "lora_alpha": scale * common,
        "target_modules": list(adapted),
        "rank_pattern": adapted,
        "alpha_pattern": {name: scale * rank for name, rank in adapted.items()},
    }


def _ranks(winner: StoredWinner, to: str) -> dict[str, int]:
    adapter = winner.spec.adapter
    if isinstance(adapter, LoraSpec) and adapter.rank_pattern is not None:
        return dict(adapter.rank_pattern)
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        raise InputError(
            f"--to {to}: the winner must be of adalora_rs or adalora, or of lora with a "
            f"rank_pattern, but got method {adapter.method}; export another study"
        )
    return dict(ranks_of_study(winner.folder.path, f"--to {to}: "))


def _scale(winner: StoredWinner) -> float:
    adapter = winner.spec.adapter
    assert isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec | LoraSpec)
    divisor = adapter.rank if isinstance(adapter, LoraSpec) else adapter.b0
    return float(adapter.alpha / divisor)


def _of_race(winner: StoredWinner) -> dict[str, dict[str, int]]:
    """Returns the ranks of every layer by the seeds of the winner's runs in the race."""
    folder = StudyFolder(winner.folder.finalists)
    if not folder.results.is_file():
        return {}
    record = winner.stored.study_record()
    if record.winner is None:
        return {}
    results = read_results(folder.path)
    label = label_of_trial(record.trials[record.winner.trial])
    outputs = read_outputs(results, "dev")
    ranks: dict[str, dict[str, int]] = {}
    for run in results.configurations.get(label, []):
        output = outputs.runs.get(-1 if run.number is None else run.number)
        if output is not None and output.kept is not None:
            kept = output.kept.sum(axis=1).tolist()
            ranks[run.name] = dict(zip(output.modules, kept, strict=True))
    return ranks


def _dump(content: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
