"""Published numbers by backbone preset, method and task (`emp/...` or `prom/...`).

Scores are fractions (MCC -1..1, AUC 0..1). Unpublished numbers are None.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

BACKBONES = {
    "OPT-125M": "opt-125m",
    "OPT-350M": "opt-350m",
    "DNABERT 3-mer": "dnabert-3",
    "DNABERT 6-mer": "dnabert-6",
    "DNABERT-2": "dnabert-2",
    "HR-500M": "nt-500m-human-ref",
    "1000G-500M": "nt-500m-1000g",
    "1000G-2.5B": "nt-2.5b-1000g",
    "MS-2.5B": "nt-2.5b-multi-species",
}
METHODS = {"FMFT": "fmft", "LoRA": "lora", "AdaLoRA": "adalora", "AdaLoRA+RS": "adalora_rs"}
PD_TASKS = ("prom/all", "prom/notata", "prom/tata")
EMP_TASKS = (
    "emp/H3",
    "emp/H3K4me1",
    "emp/H3K4me2",
    "emp/H3K4me3",
    "emp/H3K9ac",
    "emp/H3K14ac",
    "emp/H3K36me3",
    "emp/H3K79me3",
    "emp/H4",
    "emp/H4ac",
)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}


@dataclass(frozen=True)
class Anchor:
    """The published test MCC of a backbone on a task of GUE, and the method used."""

    mcc: float
    method: str


@dataclass(frozen=True)
class Top2:
    """The number of tasks on which a backbone with a method is among the top two."""

    count: int
    of: int
    """Number of tasks compared."""


def hyperparameters(task: str) -> dict[str, Any] | None:
    """Returns the adapter settings of a task in Table S1; None if the table lacks the task.

    b0 and bT are averages per adapted matrix; matrices is a list such as ["q", "k", "v"].
    """
    row = _table_s1().get(task)
    return None if row is None else row | {"matrices": list(row["matrices"])}


def auc(backbone: str, method: str, task: str) -> float | None:
    """Returns the paper's test AUC on a promoter task (Table 2)."""
    return _scores("table2_pd_auc.csv").get((backbone, method, task))


def mcc(backbone: str, method: str, task: str) -> float | None:
    """Returns the paper's test MCC on a histone task (Table S2); 0 for a collapsed run."""
    return _scores("tableS2_emp_mcc.csv").get((backbone, method, task))


def score(metric: str, backbone: str, method: str, task: str) -> float | None:
    """Returns the paper's test score by `auc` or `mcc`; None for any other metric."""
    published = {"auc": auc, "mcc": mcc}.get(metric)
    return published and published(backbone, method, task)


def top2(backbone: str, method: str, group: str) -> Top2 | None:
    """Returns the count of Table 3 for a group, "pd" or "emp"; only OPT models without FMFT."""
    return _table_3().get((backbone, method, group))


def anchor(backbone: str, task: str) -> Anchor | None:
    """Returns the backbone's published result on a task of GUE."""
    return _anchors().get((backbone, task))


def trainable_parameters(backbone: str, method: str) -> float | None:
    """Returns the number of trainable parameters printed in Table 2."""
    return _parameters().get((backbone, method))


def _rows(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _task(dataset: str) -> str:
    group, _, name = dataset.rpartition("_")
    return f"{group or 'emp'}/{name}"


def _by_task(row: dict[str, str]) -> dict[str, float]:
    """Returns the scores of a row by task."""
    labels = ("model", "method", "trainable_params")
    return {_task(key): float(value) for key, value in row.items() if key not in labels}


@cache
def _scores(name: str) -> dict[tuple[str, str, str], float]:
    return {
        (BACKBONES[row["model"]], METHODS[row["method"]], task): score
        for row in _rows(name)
        for task, score in _by_task(row).items()
    }


@cache
def _anchors() -> dict[tuple[str, str], Anchor]:
    return {
        (BACKBONES[row["model"]], task): Anchor(round(score / 100, 4), METHODS[row["method"]])
        for row in _rows("gue_anchors.csv")
        for task, score in _by_task(row).items()
    }


@cache
def _table_3() -> dict[tuple[str, str, str], Top2]:
    return {
        (BACKBONES[row["model"]], METHODS[row["method"]], group): Top2(
            int(row[group]), int(row[f"{group}_of"])
        )
        for row in _rows("table3_top2.csv")
        for group in ("pd", "emp")
    }


@cache
def _parameters() -> dict[tuple[str, str], float]:
    return {
        (BACKBONES[row["model"]], METHODS[row["method"]]): round(
            float(count[:-1]) * _UNITS[count[-1]]
        )
        for row in _rows("table2_pd_auc.csv")
        for count in [row["trainable_params"]]
    }


@cache
def _table_s1() -> dict[str, dict[str, Any]]:
    whole, fractions = ("b0", "bT", "deltaT"), ("final_fraction", "beta1", "beta2", "p")
    return {
        _task(row["dataset"]): {
            **{key: int(row[key]) for key in whole},
            **{key: float(row[key]) for key in fractions},
            "matrices": row["matrices"].split(),
        }
        for row in _rows("tableS1_hyperparameters.csv")
    }
