"""The specification of a study, read from YAML, validated, and resolved for each trial.

    schema.py     the sections of a study's YAML, their leaves, defaults and rules
    backbone.py   the `backbone` section: a pretrained model, or a CNN
    methods.py    the `adapter` section: one class for each method
    peft.py       adapters of Hugging Face's PEFT, one of these methods
    rank_pattern.py  a rank for every layer, embedded when a space is read
    task.py       the `task` section, and the names of known tasks
    samplers.py   Optuna's samplers and their arguments
    metrics.py    limits and direction of metrics, by the names of their columns
    goals.py      objectives and constraints
    points.py     configurations that are tried first
    leaves.py     the types of leaves: their values, and whether they may be searched
    domains.py    {type: float, low: ..., high: ...} in place of a fixed value
    rules.py      the base class of sections, and validation errors
    loading.py    YAML -> StudySpec and back; shipped spaces; the JSON schema
    space.py      domains -> Optuna's distributions, corners, grid; the spec of a trial
    yaml/         YAML text -> values with lines, overrides, error messages
    benchmark/    the specification of a benchmark
    comparison/   the specification of a comparison; opponents of a configuration

Nothing here imports torch, ray, transformers or pandas, and optuna only in a function of
space.py, so that errors in a YAML are reported at once. Leaves have the types of their fixed
values; before `resolve` a searched leaf is a `Domain` (see `StudySpec.domains`).
"""

from study.spec.backbone import Backbone, BackboneSpec, CnnSpec
from study.spec.domains import (
    CategoricalDomain,
    Domain,
    FloatDomain,
    IntDomain,
    parameter_name,
)
from study.spec.loading import dump_spec, json_schema, load_spec, read_spec
from study.spec.methods import (
    AdaLoraRSSpec,
    AdaLoraSpec,
    Adapter,
    FmftSpec,
    LinearProbeSpec,
    LoraSpec,
    late_setting,
)
from study.spec.peft import PeftSpec, method_label
from study.spec.schema import (
    ResourcesSpec,
    SchedulerSpec,
    SearchSpec,
    SeedsSpec,
    StudySpec,
    TrainingSpec,
)
from study.spec.space import resolve, single_trial
from study.spec.task import TaskSpec

__all__ = [
    "AdaLoraRSSpec",
    "AdaLoraSpec",
    "Adapter",
    "Backbone",
    "BackboneSpec",
    "CategoricalDomain",
    "CnnSpec",
    "Domain",
    "FloatDomain",
    "FmftSpec",
    "IntDomain",
    "LinearProbeSpec",
    "LoraSpec",
    "PeftSpec",
    "ResourcesSpec",
    "SchedulerSpec",
    "SearchSpec",
    "SeedsSpec",
    "StudySpec",
    "TaskSpec",
    "TrainingSpec",
    "dump_spec",
    "json_schema",
    "late_setting",
    "load_spec",
    "method_label",
    "parameter_name",
    "read_spec",
    "resolve",
    "single_trial",
]
