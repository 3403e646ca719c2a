"""Made-up comparison folders with known effects: results.csv, labels.npz, outputs/."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
FACTORS = ("mask", "init", "data")
MODULES = [
    f"decoder.layers.{layer}.{name}"
    for layer in range(4)
    for name in (
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1",
        "fc2",
    )
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A configuration: its mean score, and the sd of each effect, e.g. mask, init:data, rest."""

    label: str
    method: str = "lora"
    level: float = 0.6
    masked: bool = False
    sd: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


RS = Made(
    "adalora_rs", "adalora_rs", 0.62, True,
    {"mask": 0.008, "init": 0.008, "data": 0.005, "rest": 0.006},
    {"p": 0.1, "b0": 8, "bT": 4, "deltaT": 20, "final_mask": "stochastic", "lr": 0.001},
)  # fmt: skip
ADALORA = Made(
    "adalora", "adalora", 0.605, False, {"init": 0.008, "data": 0.005, "rest": 0.006},
    {"b0": 8, "bT": 4, "deltaT": 20, "lr": 0.001},
)  # fmt: skip
LORA = Made("lora", "lora", 0.61, False, {"init": 0.008, "rest": 0.006}, {"lr": 0.001})
FMFT = Made("fmft", "fmft", 0.55, False, {"init": 0.01, "rest": 0.02}, {"lr": 0.00003})
DEFAULT = (RS, ADALORA, LORA, FMFT)


def crossed(
    configurations: Iterable[Made] = DEFAULT,
    seeds: tuple[int, int, int] = (5, 3, 3),
    rng: np.random.Generator | None = None,
    metric: str = "test_mcc",
) -> list[Row]:
    """Rows of a crossed design. Effects of init and data seeds named `common:...` are shared."""
    rng = rng or np.random.default_rng(0)
    rows: list[Row] = []
    common = _effects(rng, {"init": 0.004}, seeds)
    for made in configurations:
        own = _effects(rng, made.sd, seeds)
        for m, i, d in product(range(seeds[0] if made.masked else 1), *map(range, seeds[1:])):
            score = made.level + own[m, i, d] + common[0, i, d]
            rows.append(row(made, m if made.masked else "", i, d, len(rows), score, metric))
    return rows


def pairs_of(
    configurations: Iterable[Made], pairs: int, seed: int = 0, metric: str = "test_mcc"
) -> list[Row]:
    """Rows of pairs with fresh seeds, one pair after another.

    The effects of a pair's seeds, sd 0.02, are common to all configurations.
    """
    rng, rows = np.random.default_rng(seed), []
    for place in range(pairs):
        common = 0.02 * rng.standard_normal()
        for made in configurations:
            score = made.level + common + made.sd.get("rest", 0.0) * rng.standard_normal()
            seeds = (2000 + place if made.masked else "", 2000 + place, 2000 + place)
            rows.append(row(made, *seeds, len(rows), score, metric))
    return rows


def row(
    made: Made, mask: Any, init: int, data: int, run: int, score: float, metric: str = "test_mcc"
) -> Row:
    """A complete run's row."""
    return {
        "run": run, "configuration": made.label, "method": made.method, "mask": mask,
        "init": init, "data": data, "state": "complete", "reason": "", **made.settings,
        "reports": 10, "steps": 300, "total_steps": 300, "seconds": 12.5, metric: score,
    }  # fmt: skip


def finalists(candidates: int = 8, rng: np.random.Generator | None = None) -> list[Row]:
    """A race: fewer candidates every round, three fresh seeds for every run."""
    rng = rng or np.random.default_rng(0)
    rows: list[Row] = []
    made = [
        Made(
            f"trial {n}",
            "adalora_rs",
            0.6 + 0.01 * rng.standard_normal(),
            True,
            {},
            {"p": 0.01 * n, "b0": 8, "bT": 4},
        )
        for n in range(candidates)
    ]
    repeat = 0
    while made:
        for _ in range(2):
            repeat += 1
            seed = 1000 + repeat
            common = 0.004 * rng.standard_normal()
            for one in made:
                score = one.level + common + 0.01 * rng.standard_normal()
                rows.append(row(one, seed, seed + 100, seed + 200, len(rows), score, "dev_mcc"))
        made = sorted(made, key=lambda one: -one.level)[: len(made) // 2]
    return rows


def failed(row: Row, reason: str = "diverged at step 120: the loss is not finite") -> Row:
    """The row of a run that failed."""
    scores = {name: "" for name in row if name.startswith(("test_", "dev_"))}
    return row | scores | {"state": "failed", "reason": reason}


def planned(row: Row) -> Row:
    """The row of a run that has not begun."""
    return failed(row, "") | {"state": "planned", "run": ""}


def write(folder: Path, rows: list[Row]) -> Path:
    """Writes results.csv and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    first = ("run", "configuration", "method", *FACTORS, "state", "reason")
    last = ("reports", "steps", "total_steps", "seconds")
    others = dict.fromkeys(name for row in rows for name in row if name not in (*first, *last))
    scores = [name for name in others if name.startswith(("test_", "dev_"))]
    settings = [name for name in others if name not in scores]
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*first, *settings, *last, *scores], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def write_spec(folder: Path, race: bool = False, metric: str | None = None) -> Path:
    """Writes a spec.yaml as far as the analysis reads it, and returns the folder."""
    one = "{adapter: {method: lora}" + (f", search: {{metric: {metric}}}}}" if metric else "}")
    seeds = "" if race else "seeds: {mask: [0], init: [0], data: [0]}\n"
    (folder / "spec.yaml").write_text(f"configurations:\n  adalora_rs: {one}\n{seeds}")
    return folder


def write_outputs(folder: Path, rows: list[Row], examples: int = 600, split: str = "test") -> Path:
    """Writes labels and outputs whose accuracy fits the MCC, (1 + MCC) / 2, in equal classes."""
    rng = np.random.default_rng(5)
    labels = np.arange(examples) % 2
    np.savez(folder / "labels.npz", dev=labels, test=labels)
    (folder / "outputs").mkdir(exist_ok=True)
    hardness = {}
    for made in rows:
        if made["state"] != "complete":
            continue
        # How hard an example is depends on the seeds, a part on each.
        parts = [("all", 1.0), *((f, 0.35) for f in FACTORS)]
        z = sum(
            size * hardness.setdefault((name, made.get(name)), rng.standard_normal(examples))
            for name, size in parts
        ) + 0.3 * rng.standard_normal(examples)
        score = made[f"{split}_mcc"]
        wrong = np.argsort(z)[: round(examples * (1 - score) / 2)]
        predicted = labels.copy()
        predicted[wrong] = 1 - predicted[wrong]
        probabilities = np.where(np.eye(2)[predicted] > 0, 0.8, 0.2).astype(np.float32)
        arrays: dict[str, Any] = {split: probabilities}
        if made["method"].startswith("adalora"):
            arrays |= {"kept": _kept(rng, made), "modules": np.array(MODULES)}
        np.savez(folder / "outputs" / f"run-{made['run']:05d}.npz", **arrays)
    return folder


def _kept(rng: np.random.Generator, made: Row, b0: int = 8) -> np.ndarray:
    """Half of all triplets: by importance, the same for an init seed, and by the mask seed."""
    size = (len(MODULES), b0)
    own = np.random.default_rng([7, made["init"]])
    importance = own.standard_normal(size) + np.linspace(-1, 1, len(MODULES))[:, None]
    importance = importance + 0.5 * rng.standard_normal(size)
    kept = importance >= np.median(importance)
    flipped = rng.random(size) < (0.1 if made["mask"] != "" else 0)
    return kept ^ flipped


def _effects(
    rng: np.random.Generator, sd: Mapping[str, float], seeds: tuple[int, int, int]
) -> np.ndarray:
    found = np.zeros(seeds)
    names = [":".join(c) for size in (1, 2) for c in combinations(FACTORS, size)]
    for name in names:
        shape = [n if f in name.split(":") else 1 for f, n in zip(FACTORS, seeds, strict=True)]
        found = found + sd.get(name, 0) * rng.standard_normal(shape)
    return found + sd.get("rest", 0) * rng.standard_normal(seeds)
