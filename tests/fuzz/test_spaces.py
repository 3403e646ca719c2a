"""Damaged and foreign spaces: refused in one line, or read and written to an equal spec.yaml."""

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from study.cli import overrides, parse_study, study_path
from study.errors import InputError
from study.spec import dump_spec, load_spec, read_spec
from study.spec.loading import shipped_folder, shipped_spaces
from study.spec.yaml.reader import parse
from tests.fuzz.mutations import (
    ODD_VALUES,
    damaged_bytes,
    damaged_value,
    nested,
    time_limit,
)

pytestmark = pytest.mark.chaos

SECONDS = 30
FOREIGN: tuple[Any, ...] = (
    {"values": [0.1, 0.2]}, {"min": 1, "max": 4}, {"value": 3}, {"min": 4, "max": 1},
    {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-2},
    {"distribution": "log_uniform", "min": -9, "max": 800}, {"distribution": "normal", "mu": 0},
    {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, {"grid_search": [1, 2, 4]},
    {"tune.randint": [6, 14]}, {"tune.choice": {"a": 1}}, "tune.uniform(0, 1)", "tune.choice()",
    "tune.loguniform(1e-4, 1e-2)", "hp.uniform('x', 0, 1)", "hp.randint('x', 8)",
    "tag(log, interval(1e-4, 1e-2))", "tag()", "tag(log)", "range(1, 9)", "choice(a, b)",
    "trial.suggest_float('p', 0, .3, log=True)", "suggest_int(1)", "uniform(", "((((((((", "f(*a)",
    "1e-3,1e-2", "0,1", "[0, 1]", "(1,)", "uniform(**{'low': 0})", "uniform(lambda: 0, 1)",
    {"suggest_float": {"low": 0.0, "high": 0.3}}, {"suggest_float": None}, {"choice": []},
    {"type": "uniform", "low": 0.1, "high": 0.9}, {"min": 0, "max": 10**400},
    {"type": "choice", "values": [{"a": 1}]}, {"type": "float", "bounds": [0.1, 0.9]},
    {"type": "range", "bounds": 3}, {"_type": "choice", "_value": [1, 2]}, {"name": "grid"},
    {"name": "FloatDistribution", "attributes": {"low": 0, "high": 1, "log": False}},
    {"type": "float", "low": 0.1, "high": 0.9}, {"type": "int", "low": 2, "high": 8},
    {"type": "int", "low": 2, "high": 8, "log": True}, {"min": 1, "max": 9, "step": 10**400},
    {"type": "int", "low": 0, "high": 10**400, "step": 1}, {"type": "float", "low": 0.1},
    {"type": "int", "low": 1, "high": 10**9},
    {"type": "float", "low": 0.2, "high": 0.9, "ratio_of": "b0"},
    {"type": "float", "low": 1e-300, "high": 1e300, "log": True},
    {"type": "float", "low": 0.0, "high": 1e300, "step": 1e-300},
    {"type": "categorical", "choices": [1, 2, 4]}, {"type": "categorical", "choices": [0.1, 1]},
    {"type": "categorical", "choices": [None, "a", True]}, [0.1, 0.2], ["a", "b"], [1, 100],
    "1e-3", "0.5", "1_000", "0,5", "None", "yes", "off", "auto", "TPESampler", "ASHAScheduler",
    "random", "grid", "lora", "s3://b/x", "https://huggingface.co/a/b", "~", "~/x", "$HOME/x",
    "C:\\x", "x" * 300, "a/b", 8, 0.1, 1000, 1e-5, 0.999999999999,
)  # fmt: skip
"""Values as other tools write them, as people mistype them, and some that are valid."""
KEYS = (
    "learning_rate", "init_r", "target_modules", "parameters", "hydra", "param_space", "config",
    "mode", "seed", "steps", "method", "x", "", "1", "max_t", "sampler", "points", "lr", "a.b",
)  # fmt: skip
EVERYTHING = """\
backbone: {name: a/b, revision: x, dtype: float32, weights: pretrained, weights_seed: 0}
task: {name: emp/H3, revision: x, train: 30, dev: 9, test: 9, seed: 0, max_length: 50,
       sequence_column: s, label_column: l, split_column: p, dedup: none, rc_augment: true,
       rc_average: false}
adapter:
  method: adalora_rs
  matrices: [q, v]
  p: 0.05
  p_reintroduce: 0.1
  final_mask: stochastic
  b0: {type: int, low: 6, high: 12}
  bT: {type: float, low: 0.25, high: 1.0, ratio_of: b0}
  deltaT: {type: float, low: 0.02, high: 0.3, log: true}
  beta1: 0.85
  beta2: {type: categorical, choices: [0.5, 0.85]}
  final_fraction: 0.25
  warmup_steps: 0
  gamma: 0.1
  alpha: 32.0
  dropout: 0.0
  prune_mode: zero
training: {lr: {type: float, low: 1e-4, high: 1e-2, log: true, role: nuisance}, head_lr: 1e-3,
           weight_decay: 0.01, warmup_ratio: 0.1, max_grad_norm: 1.0, batch_size: 8,
           eval_batch_size: 16, steps: 300, accumulation: 1, precision: fp32,
           group_by_length: false, reports: 10}
search: {trials: 16, metric: mcc, seed: 0, sampler: {name: tpe, n_startup_trials: 4,
         n_ei_candidates: 24, multivariate: true, group: false, constant_liar: true}}
objectives: [maximize dev_mcc, minimize trainable_parameters]
constraints: {peak_memory_gib: "<= 16"}
points: [{p: 0.05, b0: 8, bT: 6}, {beta2: 0.5}]
scheduler: {name: asha, reduction_factor: 3.0, grace_fraction: 0.5, score: plain}
finalists: {candidates: 8, confirm: 4}
seeds: {init: 0, data: 1, mask: 2}
resources: {gpus_per_trial: 0.5, cpus_per_trial: 1, max_concurrent: 2, max_failures: 2}
"""
SWEEP = """\
program: train.py
parameters: {learning_rate: {min: 1.0e-5, max: 0.01}, adapter.p: {values: [0, 0.1]}, x: {value: 1}}
hydra: {sweeper: {params: {adapter.p: "range(0.0, 0.3)"}}}
"""
Path_ = tuple[str | int, ...]


class Case(NamedTuple):
    """A space as bytes, the values of --set, and where it comes from."""

    name: str
    space: bytes
    settings: tuple[str, ...] = ()


def texts() -> list[str]:
    shipped = [(shipped_folder() / f"{name}.yaml").read_text() for name in shipped_spaces()]
    return [EVERYTHING, SWEEP, *shipped]


def values_of(text: str) -> Any:
    return parse(text, "x").values


def as_yaml(value: Any) -> bytes:
    """Returns a value as JSON, which is YAML, with YAML's infinities."""
    text = json.dumps(value)
    for ours, theirs in (("-Infinity", "-.inf"), ("Infinity", ".inf"), ("NaN", ".nan")):
        text = text.replace(ours, theirs)
    return text.encode()


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yields the path of everything in a value, the value itself excepted."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from leaves(child, (*path, key))


def replaced(value: Any, path: Path_, new: Any) -> Any:
    changed = copy.deepcopy(value)
    owner = changed
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = new
    return changed


def every_leaf_replaced(share: float) -> Iterator[Case]:
    """Yields a seeded share of all replacements of every leaf by every odd or foreign value."""
    everything, rng = values_of(EVERYTHING), random.Random(0)
    deep = [nested(1, depth) for depth in (5, 18, 500)]
    for path in leaves(everything):
        for number, new in enumerate((*ODD_VALUES, *FOREIGN, *deep)):
            if rng.random() < share:
                name = f"{'.'.join(map(str, path))} = value {number}"
                yield Case(name, as_yaml(replaced(everything, path, new)))


def damaged_texts(count: int) -> Iterator[Case]:
    for seed in range(count):
        rng = random.Random(seed)
        yield Case(f"text {seed}", damaged_bytes(rng.choice(texts()).encode(), rng))


def damaged_structures(count: int) -> Iterator[Case]:
    bases = [values_of(text) for text in texts()]
    for seed in range(count):
        rng = random.Random(seed)
        value = rng.choice(bases)
        for _ in range(rng.randint(1, 3)):
            if rng.random() < 0.5:
                value = damaged_value(value, rng) if isinstance(value, dict) and value else value
                continue
            path = rng.choice(list(leaves(value)) or [("x",)]) if isinstance(value, dict) else ()
            if path and rng.random() < 0.7:
                value = replaced(value, path, rng.choice(FOREIGN)) if value else value
            elif isinstance(value, dict):
                value = value | {rng.choice(KEYS): rng.choice((*FOREIGN, *ODD_VALUES))}
        yield Case(f"structure {seed}", as_yaml(value))


def odd_settings(count: int) -> Iterator[Case]:
    everything = values_of(EVERYTHING)
    paths = [".".join(map(str, path)) for path in leaves(everything)]
    for seed in range(count):
        rng = random.Random(seed)
        settings = []
        for _ in range(rng.randint(1, 3)):
            key = rng.choice(
                (*paths, *KEYS, f"{rng.choice(paths)}.x", f"search.{rng.choice(KEYS)}")
            )
            new = rng.choice((*FOREIGN, *ODD_VALUES))
            text = new if isinstance(new, str) else as_yaml(new).decode()
            settings.append(f"{key}={text}" if rng.random() < 0.95 else text)
        yield Case(f"settings {seed}", rng.choice(texts()).encode(), tuple(settings))


def outcome(case: Case, file: Path) -> str:
    """Reads a space as study.run does, and what it accepts as a resume does."""
    file.write_bytes(case.space)
    arguments = parse_study(["--space", str(file), *(f"--set={text}" for text in case.settings)])
    with time_limit(SECONDS, case.name):
        try:
            spec = load_spec(arguments.space, overrides(arguments), lambda line: None)
            study_path(arguments)
        except InputError as error:
            line = str(error)
            return (
                "refused" if "\n" not in line and len(line) < 2000 else f"unclear: {line[:90]!r}"
            )
        return "accepted" if read_spec(dump_spec(spec), "spec.yaml") == spec else "unequal"


@pytest.mark.parametrize(
    "cases",
    [
        every_leaf_replaced(0.25),
        damaged_texts(1500),
        damaged_structures(1500),
        odd_settings(1000),
    ],
    ids=["every leaf", "texts", "structures", "settings"],
)
def test_a_damaged_space_is_refused_in_one_line_or_read_back_equal(
    cases: Iterator[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    counts: Counter[str] = Counter()
    for case in cases:
        try:
            result = outcome(case, tmp_path / "x.yaml")
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
        counts[result] += 1
        if result not in ("refused", "accepted"):
            print(f"{case.name}: {result[:300]}")  # noqa: T201
    print(f"{sum(counts.values()):,} spaces: {dict(counts)}")  # noqa: T201
    assert set(counts) == {"refused", "accepted"}
