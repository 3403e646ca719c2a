"""What a study is: its settings, read from YAML, checked, and resolved for each trial.

    reader.py      YAML text -> plain values and the line of each
    overrides.py   --set a.b=c
    schema.py      the sections, their leaves and defaults, the rules between them
    methods.py     the adapter section: one class a method
    leaves.py      which values a leaf may have
    task.py        the task section
    task_names.py  the names of the generated and the published tasks
    goals.py       objectives and constraints
    points.py      configurations that are tried first
    domains.py     {type: float, low: ..., high: ...} in place of a fixed value
    containment.py whether one domain contains another
    samplers.py    Optuna's samplers and their arguments
    messages.py    validation errors -> one line
    loading.py     all of these together: load_spec; and back: dump_spec, json_schema
    resolution.py  suggested parameters -> the spec of one trial
    opponents.py   a configuration -> others that differ in method, or in one setting
    comparison.py  configurations and seeds, as a comparison's spec.yaml has them
    space.py       domains -> Optuna's distributions, corners, grid (imported on its own)

Nothing here imports torch, ray, optuna, transformers or pandas, so that bad input is refused
at once. Leaves have the types of their fixed values; in an unresolved spec a searched leaf
holds a `Domain` (see `StudySpec.domains`).
"""

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
from study.spec.schema import (
    BackboneSpec,
    ResourcesSpec,
    SchedulerSpec,
    SearchSpec,
    SeedsSpec,
    StudySpec,
    TrainingSpec,
)
from study.spec.space import alone, resolve
from study.spec.task import TaskSpec

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
    "alone",
    "dump_spec",
    "json_schema",
    "late_setting",
    "load_spec",
    "parameter_name",
    "read_spec",
    "resolve",
]
