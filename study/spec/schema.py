"""The study that a YAML asks for: one class a section, one field a leaf, the paper's defaults.

Leaves marked `Searchable` (leaves.py) may hold a domain instead of a value. The methods and
their settings are in methods.py, the task in task.py.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

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
    Count,
    Decay,
    NonNegative,
    OptionalPositive,
    PositiveNumber,
    SearchableCount,
    Seed,
    Text,
)
from study.spec.methods import AdaLoraRSSpec, Adapter, late_setting
from study.spec.points import read_point
from study.spec.rules import Section, refuse
from study.spec.samplers import TPE, Sampler
from study.spec.task import TaskSpec

PRESET_BACKBONE = "opt-dna-mini"
Metric = Literal["mcc", "auc", "f1", "accuracy", "loss"]


class BackboneSpec(Section):
    """The model that is adapted."""

    name: Text = PRESET_BACKBONE
    """`opt-dna-mini` (shipped), a hub id, or a folder (absolute once read)."""
    revision: Text | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    weights: Literal["pretrained", "random"] = "pretrained"
    """`random` is a baseline: the same architecture and tokenizer, and no weight is read."""
    weights_seed: Seed = 0
    """Of random weights."""

    @property
    def random_seed(self) -> int | None:
        """The seed of all weights; None if they are the pre-trained ones."""
        return self.weights_seed if self.weights == "random" else None


class TrainingSpec(Section):
    """How one trial trains: AdamW, linear warm-up, linear decay."""

    lr: PositiveNumber = 3e-5
    head_lr: OptionalPositive = None
    """Learning rate of the classification head; None: lr."""
    weight_decay: NonNegative = 5e-3
    warmup_ratio: Decay = 0.1
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    batch_size: SearchableCount = 8
    eval_batch_size: Count = 16
    epochs: Count | None = None
    """Passes over the training data; 5 when neither epochs nor steps is given."""
    steps: Count | None = None
    """Optimizer steps."""
    accumulation: Count = 1
    """Batches per optimizer step."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    group_by_length: bool = False
    reports: Count = 10
    """Evenly spaced evaluations on dev; the scheduler can stop a trial at each."""

    @model_validator(mode="before")
    @classmethod
    def _epochs_or_steps(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if given.get("epochs") is None and given.get("steps") is None:
            return given | {"epochs": 5}
        if given.get("epochs") is not None and given.get("steps") is not None:
            refuse(("steps",), "epochs and steps exclude each other; remove one of them")
        return given

    @model_validator(mode="after")
    def _no_more_reports_than_steps(self) -> "TrainingSpec":
        if self.steps is not None and self.reports > self.steps:
            found = f"reports={self.reports}, steps={self.steps}"
            refuse(("reports",), f"reports <= steps must hold, but got {found}", self.reports)
        return self


class SearchSpec(Section):
    """How many trials, by which sampler, for which dev metric (loss is minimized)."""

    trials: Count = 32
    metric: Metric = "mcc"
    sampler: Sampler = TPE()
    seed: Seed = 0


class SchedulerSpec(Section):
    """Which trials stop early."""

    name: Literal["asha", "none"] = "asha"
    reduction_factor: Annotated[float, Field(gt=1)] = 3.0
    """At a rung, one in this many goes on."""
    grace_fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The first rung, as a fraction of a trial's reports."""
    score: Literal["plain", "at_bT"] = "plain"
    """What a rung compares: the dev score as it is, or as it is with the model cut to the final
    budget (`dev_<metric>_at_bT`), one more evaluation at every rung. Recorded at every report
    where no trial stops early."""


class FinalistsSpec(Section):
    """The race of the best trials at the end of a study, by fresh seeds; see engine/race.py."""

    candidates: Annotated[int, Field(ge=0, le=32)] = 16
    """How many trials race at most; fewer in a study of fewer than four times as many trials, and
    none below 8. 0: the best single score wins."""
    confirm: Annotated[int, Field(ge=2)] = 4
    """With how many further seeds the winner's reported score is measured."""


class SeedsSpec(Section):
    """The three independent random streams of a trial."""

    init: Seed = 0
    data: Seed = 0
    mask: Seed = 0


class ResourcesSpec(Section):
    """What a trial may use; None: decided from what the cluster has. A resume may change it."""

    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    cpus_per_trial: Count | None = None
    max_concurrent: Count | None = None
    max_failures: Annotated[int, Field(ge=0)] = 2
    """How often a trial whose worker crashed is tried again, from its last checkpoint."""

    @model_validator(mode="after")
    def _whole_gpus_from_one(self) -> "ResourcesSpec":
        gpus = self.gpus_per_trial
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            text = f"must be whole, or a fraction below 1, but got {gpus}"
            refuse(("gpus_per_trial",), text, gpus)
        return self


class StudySpec(Section):
    """A whole study, as asked for. A section that is left out or empty has its defaults."""

    backbone: BackboneSpec = BackboneSpec()
    task: TaskSpec = TaskSpec()
    adapter: Adapter = AdaLoraRSSpec()
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    objectives: Annotated[tuple[ObjectiveText, ...], Field(strict=False)] = ()
    """Several goals at once: the first is the search metric, on which trials are stopped and
    the winner is chosen. Empty: that one alone."""
    constraints: ConstraintsSpec = ConstraintsSpec()
    points: Annotated[tuple[dict[str, PlainChoice], ...], Field(strict=False)] = ()
    """Known good configurations, tried first: values of leaves, by name."""
    scheduler: SchedulerSpec = SchedulerSpec()
    finalists: FinalistsSpec = FinalistsSpec()
    seeds: SeedsSpec = SeedsSpec()
    resources: ResourcesSpec = ResourcesSpec()

    @property
    def objective(self) -> str:
        """The name of the metric that decides, as trials report it: `dev_mcc`."""
        return f"dev_{self.search.metric}"

    @property
    def goals(self) -> Goals:
        """The objectives, the search metric first, and the constraints."""
        objectives = read_objectives(self.objectives) or (self._score,)
        return Goals(objectives, self.constraints.given)

    @property
    def _score(self) -> Objective:
        return Objective(self.objective, maximize=self.search.metric != "loss")

    @property
    def compared(self) -> str:
        """The name of the metric that rungs compare: the objective, or it with `_at_bT`."""
        return self.objective + ("_at_bT" if self.scheduler.score == "at_bT" else "")

    @property
    def domains(self) -> dict[str, Domain]:
        """The searched leaves by name, in the order of the fields: adapter, then training."""
        leaves = [*self.adapter, *self.training]
        return {name: leaf for name, leaf in leaves if isinstance(leaf, Domain)}

    @property
    def point_params(self) -> list[dict[str, Choice]]:
        """The points by the sampler's names; what a point leaves out is missing."""
        return [self._read_point(place) for place in range(len(self.points))]

    def _read_point(self, place: int) -> dict[str, Choice]:
        leaves = [*self.adapter, *self.training]
        fixed = {name: leaf for name, leaf in leaves if not isinstance(leaf, Domain)}
        return read_point(self.points[place], self.domains, fixed, at=("points", place))

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
            text = "cmaes knows one objective, but got several; take tpe, gp, nsgaii or random"
            refuse(("search", "sampler", "cmaes", "name"), text, "cmaes")
        return self

    @model_validator(mode="after")
    def _points_lie_in_the_space(self) -> "StudySpec":
        if self.points and self.search.sampler.name == "grid":
            text = "must be left out with the grid sampler, which tries every combination"
            refuse(("points",), text, self.points)
        for place in range(len(self.points)):
            self._read_point(place)
        return self

    @model_validator(mode="after")
    def _one_half_precision(self) -> "StudySpec":
        precision, dtype = self.training.precision, self.backbone.dtype
        if (precision, dtype) in (("fp16", "bfloat16"), ("bf16", "float16")):
            text = f"must be fp32 or that of the backbone, whose dtype is {dtype}"
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
                section = "training" if hasattr(self.training, leaf) else "adapter"
                tag = (self.adapter.method,) if section == "adapter" else ()
                text = "must be categorical or have a step for the grid sampler"
                refuse((section, *tag, leaf), f"{text}; add a step or choices")
        return self
