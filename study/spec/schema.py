"""The specification of a study: one class per section, one field per leaf, the paper's defaults.

Leaves of a `Searchable` type (leaves.py) may have a domain instead of a value. The `backbone`
section is in backbone.py, `adapter` in methods.py, `task` in task.py, the samplers in samplers.py.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from study.spec.backbone import Backbone, BackboneSpec, CnnSpec
from study.spec.domains import Choice, Domain, PlainChoice
from study.spec.goals import (
    ConstraintsSpec,
    Goals,
    Objective,
    ObjectiveText,
    check_objectives,
    read_objectives,
)
from study.spec.leaves import (
    ClassWeights,
    Count,
    Decay,
    NonNegative,
    OptionalPositive,
    PositiveNumber,
    SearchableCount,
    Seed,
)
from study.spec.methods import AdaLoraRSSpec, Adapter, late_setting
from study.spec.metrics import Metric, lower_is_better
from study.spec.points import read_point
from study.spec.rules import Section, refuse
from study.spec.samplers import TPE, Sampler
from study.spec.task import TaskSpec
from study.spec.yaml.spellings import finite, flow


class TrainingSpec(Section):
    """The training of one trial: AdamW, linear warm-up, linear decay."""

    lr: PositiveNumber = 3e-5
    head_lr: OptionalPositive = None
    """Learning rate of the classification head; None: lr."""
    weight_decay: NonNegative = 5e-3
    warmup_ratio: Decay = 0.1
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    batch_size: SearchableCount = 8
    eval_batch_size: Count = 16
    epochs: Count | None = None
    """Passes over the training data; 5 if neither epochs nor steps is given."""
    steps: Count | None = None
    """Optimizer steps."""
    accumulation: Count = 1
    """Batches per optimizer step."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    group_by_length: bool = False
    class_weights: ClassWeights = "none"
    """Weights of the training loss by class: `balanced` is rows / (classes * rows of the class) in
    train; a list has a weight for each class, in the order of their numbers or sorted names."""
    reports: Count = 10
    """Number of evenly spaced evaluations on dev; the scheduler may stop a trial at each."""

    @model_validator(mode="before")
    @classmethod
    def _epochs_or_steps(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if given.get("epochs") is None and given.get("steps") is None:
            return given | {"epochs": 5}
        if given.get("epochs") is not None and given.get("steps") is not None:
            refuse(("steps",), "must not be given with epochs, but got both; remove one of them")
        return given

    @model_validator(mode="after")
    def _no_more_reports_than_steps(self) -> "TrainingSpec":
        if self.steps is not None and self.reports > self.steps:
            given = f"reports={self.reports}, steps={self.steps}"
            refuse(
                ("reports",),
                f"reports <= steps must hold, but got {given}; change one",
                self.reports,
            )
        return self


def report_step(report: int, reports: int, total_steps: int) -> int:
    """Returns the optimizer step after which report `report` of 1, …, `reports` is made."""
    return math.ceil(report * total_steps / min(reports, total_steps))


class SearchSpec(Section):
    """The number of trials, the sampler, and the dev metric to optimize.

    Loss, brier and ece are minimized, the other metrics maximized.
    """

    trials: Count = 32
    metric: Metric = "mcc"
    sampler: Sampler = TPE()
    seed: Seed = 0


class SchedulerSpec(Section):
    """Early stopping of trials."""

    name: Literal["asha", "none"] = "asha"
    reduction_factor: Annotated[float, Field(gt=1)] = 2.0
    """At a rung, one in this many trials continues."""
    grace_fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The first rung, as a fraction of a trial's reports."""
    score: Literal["plain", "at_bT"] = "plain"
    """The score that rungs compare: of the model as it is, or of the model pruned to the final
    budget (`dev_<metric>_at_bT`), which is one more evaluation at every rung. Without early
    stopping it is recorded at every report."""
    audit: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The probability that a stopped trial trains to its end after the search, to measure what
    early stopping costs; the sampler never knows, and it cannot win."""

    @model_validator(mode="after")
    def _only_stopped_trials_are_audited(self) -> "SchedulerSpec":
        if self.audit and self.name == "none":
            text = "must be 0 or left out with scheduler.name none, which stops no trial, but got"
            refuse(("audit",), f"{text} {self.audit:g}; remove it", self.audit)
        return self


class FinalistsSpec(Section):
    """The race of the best trials with fresh seeds at the end of a study; see storage/race.py."""

    candidates: Annotated[int, Field(ge=0, le=32)] = 16
    """Maximum number of trials in the race; fewer if the study has fewer than four times as many
    trials, none if it has fewer than 8. 0: no race, the best single score wins."""
    confirm: Annotated[int, Field(ge=2)] = 4
    """Number of further seeds with which the winner's reported score is measured."""


class MaskProbeSpec(Section):
    """Other masks are evaluated at some mask events of every trial; see training/mask_probe.py."""

    events: Annotated[
        tuple[Literal["first", "middle", "last"], ...], Field(strict=False, min_length=1)
    ] = ("first", "middle", "last")
    masks: Annotated[int, Field(ge=2, le=64)] = 8
    """Number of other masks at each of these events."""


class SeedsSpec(Section):
    """Seeds of the three independent random streams of a trial."""

    init: Seed = 0
    data: Seed = 0
    mask: Seed = 0


class ResourcesSpec(Section):
    """Resources of a trial; None: chosen from those of the cluster. A resume may change them."""

    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    cpus_per_trial: Count | None = None
    max_concurrent: Count | None = None
    max_failures: Annotated[int, Field(ge=0)] = 2
    """How often a trial is restarted from its last checkpoint after its worker crashed."""
    stall_minutes: Annotated[float, Field(ge=0.1)] | None = None
    """A worker without a sign of life (a batch) for so long is killed, and its trial tried again.
    None: ten times the longest time between two reports, at least 15 minutes."""

    @model_validator(mode="after")
    def _whole_gpus_from_one(self) -> "ResourcesSpec":
        gpus = self.gpus_per_trial
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            text = f"must be whole, or a fraction below 1, but got {gpus}; round it"
            refuse(("gpus_per_trial",), text, gpus)
        return self


class TrackingSpec(Section):
    """How MLflow shows the study. The server is an option, --tracking-uri."""

    experiment: Annotated[str, Field(pattern=r"^[^/.\s][^\t\n\r]{0,199}$")] | None = None
    """Name of the experiment. None: MLFLOW_EXPERIMENT_NAME, or one for each task. A study keeps
    the experiment that it was started in."""


SEARCHED = ("adapter", "training", "backbone")
"""The sections with leaves that may be searched; names of leaves differ between sections."""


class StudySpec(Section):
    """The specification of a study. A section that is left out or empty has its defaults."""

    backbone: Backbone = BackboneSpec()
    task: TaskSpec = TaskSpec()
    adapter: Adapter = AdaLoraRSSpec()
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    objectives: Annotated[tuple[ObjectiveText, ...], Field(strict=False)] = ()
    """Several objectives: the first is the search metric, by which trials are stopped and the
    winner is chosen. Empty: only the search metric."""
    constraints: ConstraintsSpec = ConstraintsSpec()
    points: Annotated[tuple[dict[str, PlainChoice], ...], Field(strict=False)] = ()
    """Known good configurations that are tried first: values of leaves, by name."""
    scheduler: SchedulerSpec = SchedulerSpec()
    finalists: FinalistsSpec = FinalistsSpec()
    mask_probe: MaskProbeSpec | None = None
    """None: no other masks are evaluated."""
    seeds: SeedsSpec = SeedsSpec()
    resources: ResourcesSpec = ResourcesSpec()
    tracking: TrackingSpec = TrackingSpec()

    @property
    def objective(self) -> str:
        """The metric of the first objective, as trials report it: `dev_mcc`."""
        return f"dev_{self.search.metric}"

    @property
    def goals(self) -> Goals:
        """The objectives, the search metric first, and the constraints."""
        objectives = read_objectives(self.objectives) or (self._score,)
        return Goals(objectives, self.constraints.given)

    @property
    def _score(self) -> Objective:
        return Objective(self.objective, maximize=not lower_is_better(self.search.metric))

    @property
    def compared(self) -> str:
        """The metric that rungs compare: the objective, or the objective with `_at_bT`."""
        return self.objective + ("_at_bT" if self.scheduler.score == "at_bT" else "")

    @property
    def domains(self) -> dict[str, Domain]:
        """The searched leaves by name, in the order of `SEARCHED`, then of the fields."""
        return {name: leaf for name, leaf in self.leaves.items() if isinstance(leaf, Domain)}

    @property
    def leaves(self) -> dict[str, Any]:
        """The values and domains of the `SEARCHED` sections by the leaf's name."""
        return {name: leaf for section in SEARCHED for name, leaf in getattr(self, section)}

    @property
    def fixed(self) -> dict[str, Any]:
        """The values of those `leaves` that are not searched."""
        return {name: leaf for name, leaf in self.leaves.items() if not isinstance(leaf, Domain)}

    def section_of(self, leaf: str) -> str:
        """Returns the section of a leaf of `leaves`."""
        return next(section for section in SEARCHED if leaf in dict(getattr(self, section)))

    @property
    def point_params(self) -> list[dict[str, Choice]]:
        """The points by Optuna's parameter names; a point may lack parameters."""
        return [self._read_point(place) for place in range(len(self.points))]

    def _read_point(self, place: int) -> dict[str, Choice]:
        at = ("points", place)
        return read_point(self.points[place], self.domains, self.fixed, at=at)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: section for name, section in given.items() if section is not None}

    @model_validator(mode="after")
    def _objectives_fit_the_search(self) -> "StudySpec":
        check_objectives(read_objectives(self.objectives), self._score)
        if len(self.objectives) > 1 and self.search.sampler.name == "cmaes":
            text = "must support several objectives, but got cmaes; use another sampler, e.g. tpe"
            refuse(("search", "sampler", "cmaes", "name"), text, "cmaes")
        return self

    @model_validator(mode="after")
    def _cnn_trains_every_weight(self) -> "StudySpec":
        method = self.adapter.method
        if isinstance(self.backbone, CnnSpec) and method != "fmft":
            text = "must be fmft for backbone.name cnn, whose weights are not pretrained, but got"
            refuse(("adapter", method, "method"), f"{text} {method}; write method: fmft", method)
        return self

    @model_validator(mode="after")
    def _probed_masks_are_random(self) -> "StudySpec":
        method = self.adapter.method
        if self.mask_probe is not None and method != "adalora_rs":
            text = f"must be given with adapter.method adalora_rs, but got {method}; remove it"
            refuse(("mask_probe",), text, method)
        return self

    @model_validator(mode="after")
    def _points_lie_in_the_space(self) -> "StudySpec":
        if self.points and self.search.sampler.name == "grid":
            rule = "must be left out with the grid sampler, which tries every combination"
            refuse(("points",), f"{rule}, but got {len(self.points)}; remove them", self.points)
        for place in range(len(self.points)):
            self._read_point(place)
        return self

    @model_validator(mode="after")
    def _one_half_precision(self) -> "StudySpec":
        precision, dtype = self.training.precision, self.backbone.dtype
        if (precision, dtype) in (("fp16", "bfloat16"), ("bf16", "float16")):
            text = f"must be fp32 or fit backbone.dtype {dtype}, but got {precision}"
            refuse(("training", "precision"), f"{text}; change one of the two", precision)
        return self

    @model_validator(mode="after")
    def _events_before_the_end(self) -> "StudySpec":
        adapter, steps = self.adapter, self.training.steps
        late = late_setting(adapter, steps) if steps is not None else None
        if late is not None:
            name, text = late
            refuse(("adapter", adapter.method, name), text)
        return self

    @model_validator(mode="after")
    def _grid_is_finite(self) -> "StudySpec":
        for leaf, domain in self.domains.items() if self.search.sampler.name == "grid" else ():
            if not domain.is_finite:
                section = self.section_of(leaf)
                tags = {"adapter": self.adapter.method, "backbone": self.backbone.kind}
                tag = [tags[section]] if section in tags else []
                rule = "must be categorical or have a step for the grid sampler"
                line = f"{leaf}: {flow(finite(domain.as_mapping()))}"
                found = "a continuous domain" if domain.type == "float" else "too many values"
                text = f"{rule}, but got {found}; write for example {line}"
                refuse((section, *tag, leaf), text)
        return self
