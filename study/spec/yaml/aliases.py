"""Names that other tools have for the keys and values of a space, and where a key belongs."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from study.spec import domains
from study.spec.backbone import BACKBONE_SPECS, CnnSpec
from study.spec.methods import METHOD_SPECS
from study.spec.schema import StudySpec
from study.spec.yaml.reader import KeyPath
from study.spec.yaml.spellings import flow

_KEYS = {
    "adapter": ("peft", "lora", "adalora"),
    "alpha": ("lora_alpha", "scaling"),
    "accumulation": ("gradient_accumulation_steps", "grad_accum", "accumulate_grad_batches"),
    "b0": ("init_r", "initial_rank", "r0"),
    "backbone": ("model", "model_name", "pretrained_model"),
    "batch_size": ("per_device_train_batch_size", "train_batch_size", "bs"),
    "bT": ("target_r", "target_rank"),
    "class_weights": ("class_weight", "loss_weights", "label_weights"),
    "deltaT": ("tinterval", "mask_interval"),
    "dropout": ("lora_dropout",),
    "epochs": ("num_train_epochs", "num_epochs", "n_epochs", "max_epochs"),
    "eval_batch_size": ("per_device_eval_batch_size",),
    "final_fraction": ("tfinal", "t_final"),
    "gamma": ("orth_reg_weight", "orth_weight"),
    "gpus_per_trial": ("gpus", "num_gpus", "gpu"),
    "columns": ("target", "target_column", "label_name", "text_column", "sequence_name"),
    "cpus_per_trial": ("cpus", "num_cpus", "cpu"),
    "grace_fraction": ("grace_period", "min_iter", "min_resource"),
    "lr": ("learning_rate",),
    "matrices": ("target_modules", "modules"),
    "max_concurrent": ("n_jobs", "max_concurrent_trials", "concurrency"),
    "max_grad_norm": ("grad_clip", "gradient_clip_val", "clip_grad_norm"),
    "max_length": ("max_seq_length", "model_max_length", "max_len"),
    "metric": ("metric_for_best_model", "objective", "monitor"),
    "name": ("model_name_or_path",),
    "path": ("data_path", "data_dir", "dir", "folder", "file"),
    "precision": ("bf16", "fp16", "mixed_precision", "amp"),
    "rank": ("r", "lora_r", "lora_rank"),
    "reduction_factor": ("eta",),
    "reports": ("eval_steps", "num_evals"),
    "sampler": ("searcher", "search_alg", "algorithm"),
    "seeds": ("seed",),
    "scheduler": ("pruner", "early_stopping", "early_terminate"),
    "steps": ("max_steps", "num_steps", "n_steps", "max_t", "total_steps"),
    "task": ("data", "dataset"),
    "trials": ("n_trials", "num_samples", "num_trials", "run_cap"),
    "warmup_ratio": ("warmup", "warmup_proportion"),
    "warmup_steps": ("tinit", "t_init"),
    "weight_decay": ("wd",),
}
ALIASES = {alias: key for key, aliases in _KEYS.items() for alias in aliases}
"""Key here by the name that it has elsewhere."""
_CONVERTED = ("tfinal", "t_final", "grace_period", "min_iter", "min_resource", "warmup",
              "eval_steps", "target_modules", "modules", "bf16", "fp16", "amp",
              "target", "target_column", "label_name", "text_column", "sequence_name")  # fmt: skip
"""Aliases of keys whose values are of another kind here."""
_DIRECTIONS = ("mode", "direction", "goal", "greater_is_better", "directions")
_WORDS = {
    "tpe": ("bayes", "bayesian", "hyperopt", "optuna", "bohb"),
    "asha": ("hyperband", "async", "successive", "median"),
    "none": ("fifo", "nop", "no", "off", "false"),
    "fmft": ("full", "finetune", "fft"),
    "linear_probe": ("head", "linear", "probe"),
    "q": ("q_proj", "query"),
    "k": ("k_proj", "key"),
    "v": ("v_proj", "value"),
    "o": ("o_proj", "out_proj"),
    "f1": ("fc1", "up_proj"),
    "f2": ("fc2", "down_proj"),
    "gate": ("gate_proj",),
    "fp32": ("float32", "32", "no"),
    "fp16": ("float16", "16", "half"),
    "bf16": ("bfloat16",),
    "float16": ("fp16", "half"),
    "bfloat16": ("bf16",),
    "float32": ("fp32", "float"),
    "loss": ("perplexity",),
    "f1_macro": ("macro",),
    "f1_weighted": ("weighted",),
    "auprc": ("pr", "pr_auc", "prauc", "aupr", "ap", "average_precision"),
    "auc": ("roc", "roc_auc", "rocauc", "auroc"),
    "ece": ("calibration",),
}
SECTIONS = tuple(StudySpec.model_fields)


def section_fields(section: str) -> dict[str, Any]:
    """Returns the fields of a section by name; of every kind of `adapter` and `backbone`."""
    kinds = {"adapter": METHOD_SPECS, "backbone": BACKBONE_SPECS}.get(section)
    if kinds is not None:
        return {name: field for spec in kinds for name, field in spec.model_fields.items()}
    kind = StudySpec.model_fields[section].annotation if section in SECTIONS else None
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return dict(kind.model_fields) if is_model else {}  # type: ignore[union-attr]


def is_searchable(section: str, leaf: str) -> bool:
    """Returns whether a leaf may have a domain."""
    field = section_fields(section).get(leaf)
    return field is not None and domains.is_searchable(field)


def homes(key: str) -> list[str]:
    """Returns the sections in which a key of this or another tool belongs: `training.lr`."""
    name = ALIASES.get(key, key)
    return [f"{section}.{name}" for section in SECTIONS if name in section_fields(section)]


def key_fix(path: KeyPath, value: Any, known: Sequence[str]) -> str:
    """Returns the end of the message for an unknown key, as `; write lr: 0.001`; empty if unknown.

    Args:
        path: of the key.
        value: of the key.
        known: the keys that may be there.
    """
    key, section = str(path[-1]), str(path[0]) if len(path) == 2 else ""
    name = ALIASES.get(key, key)
    if name in known:
        plain = len(path) > 1 and not isinstance(value, dict) and key not in _CONVERTED
        return f"; write {name}: {flow(value)}" if plain else f"; did you mean `{name}`?"
    if section == "search" and key in _DIRECTIONS:
        return (
            "; leave it out, as loss, brier and ece are minimized and the other metrics maximized"
        )
    if section == "adapter" and name in section_fields(section):
        methods = [spec for spec in METHOD_SPECS if name in spec.model_fields]
        names = ", ".join(spec.model_fields["method"].default for spec in methods)
        return f"; remove it, as {name} is only a setting of {names}"
    if section == "backbone" and name in section_fields(section):
        only = "of cnn" if name in CnnSpec.model_fields else "of pretrained backbones"
        return f"; remove it, as {name} is only a setting {only}"
    elsewhere = homes(key) if len(path) < 3 else []
    return f"; did you mean `{elsewhere[0]}`?" if len(elsewhere) == 1 else ""


def synonym_fix(value: object, known: list[str]) -> str:
    """Returns `; did you mean X?` for a word that another tool has for a known one."""
    text = str(value).lower()
    return next((f"; did you mean `{w}`?" for w in known if text in _WORDS.get(w, ())), "")


def word_fix(value: object, known: list[str]) -> str:
    """Returns `; did you mean X?` for a name of another tool: TPESampler, eval_loss, bayes."""
    if not isinstance(value, str):
        return ""
    if synonym := synonym_fix(value, known):
        return synonym
    parts = re.findall(r"[a-z0-9]+", value.lower())
    for word in known:
        if set(parts) & set(_WORDS.get(word, ())):
            return f"; did you mean `{word}`?"
    joined = "".join(parts)
    inside = [word for word in known if len(word) > 1 and word.lower() in joined]
    return f"; did you mean `{max(inside, key=len)}`?" if inside else ""
