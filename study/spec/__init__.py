"""What a study is: its settings, read from YAML, checked, and resolved for each trial.

    library.py     names -> the shipped YAML files
    reader.py      YAML text -> plain values and the line of each
    overrides.py   --set a.b=c
    schema.py      the sections and leaves, their defaults and rules
    domains.py     {type: float, low: ..., high: ...} in place of a fixed value
    samplers.py    Optuna's samplers and their arguments
    messages.py    validation errors -> one line
    loading.py     all of these together: load_spec; and back: dump_spec, json_schema
    resolution.py  suggested parameters -> the spec of one trial
    space.py       domains -> Optuna's distributions, corners, grid (imported on its own)

Nothing here imports torch, ray, optuna, transformers or pandas, so that bad input is refused
at once. Leaves have the types of their fixed values; in an unresolved spec a searched leaf
holds a `Domain` (see `StudySpec.domains`).
"""

from study.spec.domains import CategoricalDomain, Domain, FloatDomain, IntDomain
from study.spec.loading import dump_spec, json_schema, load_spec
from study.spec.resolution import parameter_name, resolve
from study.spec.schema import (
    AdaLoraRSSpec,
    AdaLoraSpec,
    Adapter,
    BackboneSpec,
    FmftSpec,
    LinearProbeSpec,
    LoraSpec,
    ResourcesSpec,
    SchedulerSpec,
    SearchSpec,
    SeedsSpec,
    StudySpec,
    TaskSpec,
    TrainingSpec,
    late_setting,
)

__all__ = [
    "AdaLoraRSSpec",
    "AdaLoraSpec",
    "Adapter",
    "BackboneSpec",
    "CategoricalDomain",
    "Domain",
    "FloatDomain",
    "FmftSpec",
    "IntDomain",
    "LinearProbeSpec",
    "LoraSpec",
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
    "parameter_name",
    "resolve",
]
