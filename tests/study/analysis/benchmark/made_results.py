"""Made-up results.csv files of benchmarks."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.paper.reference import EMP_TASKS, PD_TASKS

Row = dict[str, Any]
EIGHT = {
    "opt-125m": 125_240_832,
    "opt-350m": 331_197_440,
    "dnabert-6": 89_192_450,
    "dnabert-2": 117_070_082,
    "nt-500m-human-ref": 480_440_803,
    "nt-500m-1000g": 480_440_803,
    "nt-2.5b-1000g": 2_537_288_323,
    "nt-2.5b-multi-species": 2_537_288_323,
}
FOUR = ("fmft", "lora", "adalora", "adalora_rs")
SIX = {
    "fmft": (1.1, 1_900_000),
    "lora": (1.0, 83_000),
    "adalora": (0.98, 124_000),
    "adalora_rs": (1.0, 124_500),
    "linear_probe": (0.7, 258),
    "lora_random_weights": (0.5, 83_000),
}
"""Share of the task's level and trainable parameters, by method or control."""
BASE = ("backbone", "task", "method", "seed", "state", "reason", "test_mcc", "test_auc")


def run(
    backbone: str,
    task: str,
    method: str,
    seed: int | str,
    mcc: Any = "",
    auc: Any = "",
    **more: Any,
) -> Row:
    """Returns a row; complete unless `state` is given."""
    row = {"backbone": backbone, "task": task, "method": method, "seed": seed, "test_mcc": mcc}
    return row | {"state": "complete", "reason": "", "test_auc": auc} | more


def write(folder: Path, rows: list[Row]) -> Path:
    """Writes results.csv and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys([*BASE, *(key for row in rows for key in row)]))
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["run", *columns], restval="")
        writer.writeheader()
        writer.writerows({"run": number, **row} for number, row in enumerate(rows))
    return folder


def full_grid(seeds: int = 5, backbones: Sequence[str] = tuple(EIGHT)) -> list[Row]:
    """Returns 13 tasks x backbones x 4 methods and baselines; some runs failed or collapsed."""
    rng = np.random.default_rng(0)
    rows = []
    for task in (*EMP_TASKS, *PD_TASKS):
        level = 0.35 + 0.45 * rng.random()
        more = {"test_rows": 613 if task == "prom/tata" else 1497}
        for method, part in (("majority", 0.0), ("gc", 0.35), ("kmer", 0.8)):
            rows.append(run("", task, method, "", part * level, 0.5 + part * level / 2, **more))
        for backbone in backbones:
            parameters = EIGHT[backbone]
            shift = 0.08 * rng.standard_normal()
            for method in FOUR:
                mean = min(0.95, level + shift + 0.03 * rng.standard_normal())
                count = parameters if method == "fmft" else 3.6e4 * parameters**0.2
                for seed in range(seeds):
                    rows.append(_made(rng, (backbone, task, method, seed), mean, int(count), more))
    return rows


def _made(
    rng: np.random.Generator,
    key: tuple[str, str, str, int],
    mean: float,
    parameters: int,
    more: Row,
) -> Row:
    backbone, _, _, seed = key
    if backbone == "nt-2.5b-multi-species":
        reason = "nothing can be reached, and the weights are in no cache"
        return run(*key, state="unavailable", reason=reason, **more)
    if backbone == "nt-2.5b-1000g" and seed > 2:
        return run(*key, state="planned", **more)
    chance = rng.random()
    if chance < 0.02:
        return run(*key, state="failed", reason="the loss is not finite at step 120", **more)
    mcc = 0.0 if chance < 0.03 else mean + 0.015 * rng.standard_normal()
    return run(*key, mcc, 0.5 + mcc / 2, trainable_parameters=parameters, **more)


def small_benchmark() -> list[Row]:
    """Returns one backbone on three tasks outside the paper, with all methods and baselines."""
    rng = np.random.default_rng(1)
    rows = []
    for task, level in (
        ("gue_prom_300_tata", 0.55),
        ("emp_h3_reduced", 0.5),
        ("emp_h3_bychrom", 0.45),
    ):
        for method, part in (("majority", 0.0), ("gc", 0.3), ("kmer", 1.1)):
            rows.append(
                run("", task, method, "", part * level, 0.5 + part * level / 2, test_rows=600)
            )
        for method, (part, parameters) in SIX.items():
            for seed in range(5):
                mcc = part * level + 0.02 * rng.standard_normal()
                more = {"test_rows": 600, "trainable_parameters": parameters}
                rows.append(run("opt-dna-mini", task, method, seed, mcc, 0.5 + mcc / 2, **more))
    return rows
