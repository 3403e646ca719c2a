"""The study that a YAML asks for: one class a section, one field a leaf, the paper's defaults.

Leaves typed with a name from "Searchable leaves" may hold a domain instead of a value. Units
are optimizer steps unless a docstring says otherwise.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from study.spec.domains import Domain, FloatDomain, Searchable, extremes
from study.spec.rules import Section, refusal, refuse
from study.spec.samplers import TPE, Sampler

PRESET_BACKBONE = "opt-dna-mini"
Matrix = Literal["q", "k", "v", "o", "f1", "f2"]
Metric = Literal["mcc", "auc", "f1", "accuracy", "loss"]

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Text = Annotated[str, Field(min_length=1)]


def _steps_or_fraction(value: object) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    expected = "a whole number of steps >= 1 or a fraction of T in (0, 1)"
    raise refusal(f"must be {expected}, but got {value!r}")


# Searchable leaves
Rate = Annotated[float, Field(ge=0, le=1), Searchable()]
OptionalRate = Annotated[Annotated[float, Field(ge=0, le=1)] | None, Searchable()]
Decay = Annotated[float, Field(ge=0, lt=1), Searchable()]
OpenFraction = Annotated[float, Field(gt=0, lt=1), Searchable()]
PositiveNumber = Annotated[float, Field(gt=0), Searchable()]
OptionalPositive = Annotated[Annotated[float, Field(gt=0)] | None, Searchable()]
NonNegative = Annotated[float, Field(ge=0), Searchable()]
SearchableCount = Annotated[int, Field(ge=1), Searchable()]
SearchableSteps = Annotated[int, Field(ge=0), Searchable()]
Interval = Annotated[
    int | float,
    PlainValidator(_steps_or_fraction, json_schema_input_type=int | float),
    Searchable(),
]


def _some_different(matrices: tuple[str, ...]) -> tuple[str, ...]:
    if not matrices:
        raise refusal("must name at least one matrix, but is empty")
    if len(set(matrices)) < len(matrices):
        raise refusal(f"matrices must differ, but got {', '.join(matrices)}")
    return matrices


Matrices = Annotated[tuple[Matrix, ...], Field(strict=False), AfterValidator(_some_different)]
ALL_MATRICES: tuple[Matrix, ...] = get_args(Matrix)


class BackboneSpec(Section):
    """The pre-trained model."""

    name: Text = PRESET_BACKBONE
    """`opt-dna-mini` (shipped), a hub id, or a folder (absolute once read)."""
    revision: Text | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class TaskSpec(Section):
    """The labelled sequences: generated (`name`) or read (`path`), never both."""

    name: Literal["promoters"] | None = None
    path: Annotated[Path, Field(strict=False)] | None = None
    """A folder with train/dev/test csv, or one csv with a split column; absolute once read."""
    train: Count = 3000
    """Sequences to generate; train, dev, test and seed concern generated tasks alone."""
    dev: Count = 750
    test: Count = 750
    seed: Seed = 0
    max_length: Count | None = None
    """Tokens; longer sequences are cut. None: the longest sequence of the task."""
    sequence_column: Text = "sequence"
    label_column: Text = "label"
    split_column: Text = "split"

    @model_validator(mode="before")
    @classmethod
    def _name_or_path(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if given.get("path") is None and given.get("name") is None:
            return given | {"name": "promoters"}
        if given.get("path") is not None and given.get("name") is not None:
            refuse(("path",), "name and path exclude each other; remove one of them")
        return given


class _Budgeted(Section):
    """What AdaLoRA and AdaLoRA+RS share: the budget and the importance score."""

    matrices: Matrices = ALL_MATRICES
    b0: SearchableCount = 12
    """Average triplets per adapted matrix at the start: the initial rank of every matrix."""
    bT: SearchableCount = 6
    """Average triplets per adapted matrix at the end, at most b0; search it as a ratio of b0."""
    deltaT: Interval = 100
    """Steps between mask events: a whole number, or a fraction of T."""
    beta1: Decay = 0.85
    """EMA factor of the sensitivity."""
    beta2: Decay = 0.85
    """EMA factor of the uncertainty."""
    final_fraction: OpenFraction = 0.25
    """(T_total - T) / T_total: the last part of the steps, in which the mask is frozen."""
    warmup_steps: SearchableSteps = 0
    """No mask event up to this step."""
    alpha: PositiveNumber = 32.0
    """The update is scaled by alpha / b0."""
    dropout: Decay = 0.0
    gamma: NonNegative = 0.1
    """Weight of the orthogonality penalty in the training loss."""
    prune_mode: Annotated[Literal["zero", "mask"], Searchable()] = "zero"

    @model_validator(mode="after")
    def _final_budget_at_most_b0(self) -> "_Budgeted":
        b0: Any = self.b0
        bT: Any = self.bT
        if isinstance(bT, FloatDomain):
            return self
        lowest, highest = min(extremes(b0)), max(extremes(bT))
        if highest > lowest:
            fix = "search bT as {type: float, low: .25, high: 1, ratio_of: b0}"
            if not isinstance(b0, int) or not isinstance(bT, int):
                text = f"bT <= b0 must hold everywhere, but bT={highest} can meet b0={lowest}"
            else:
                text, fix = f"bT <= b0 must hold, but got bT={bT}, b0={b0}", f"lower bT, or {fix}"
            refuse(("bT",), f"{text}; {fix}", highest)
        return self


class AdaLoraRSSpec(_Budgeted):
    """AdaLoRA with random sampling (Zhan & Zhang 2023)."""

    method: Literal["adalora_rs"] = "adalora_rs"
    p: Rate = 0.05
    """Bernoulli rate: a top triplet is dropped, any other kept, with this probability."""
    p_reintroduce: OptionalRate = None
    """The second of these probabilities, if it differs; None: p."""
    final_mask: Annotated[Literal["stochastic", "deterministic"], Searchable()] = "stochastic"


class AdaLoraSpec(_Budgeted):
    """AdaLoRA (Zhang et al. 2023): AdaLoRA+RS with p = 0."""

    method: Literal["adalora"] = "adalora"
    p: ClassVar[float] = 0.0
    p_reintroduce: ClassVar[float | None] = None
    final_mask: ClassVar[Literal["stochastic", "deterministic"]] = "deterministic"


class LoraSpec(Section):
    """LoRA (Hu et al. 2021): a fixed rank."""

    method: Literal["lora"] = "lora"
    matrices: Matrices = ALL_MATRICES
    rank: SearchableCount = 8
    alpha: PositiveNumber = 32.0
    """The update is scaled by alpha / rank."""
    dropout: Decay = 0.0


class FmftSpec(Section):
    """Full-model fine-tuning: every weight trains."""

    method: Literal["fmft"] = "fmft"


class LinearProbeSpec(Section):
    """Only the classification head trains."""

    method: Literal["linear_probe"] = "linear_probe"


Adapter = Annotated[
    AdaLoraRSSpec | AdaLoraSpec | LoraSpec | FmftSpec | LinearProbeSpec,
    Field(discriminator="method"),
]


def late_setting(adapter: Adapter, total_steps: int) -> tuple[str, str] | None:
    """The adapter's setting by which no mask event comes before T, and what to say about it.

    None if events come, or the method has none. Reading a YAML applies this when
    `training.steps` is given; with epochs it needs the data first.
    """
    if not isinstance(adapter, _Budgeted):
        return None
    T = round((1 - max(extremes(adapter.final_fraction))) * total_steps)
    for name in ("deltaT", "warmup_steps"):
        highest = max(extremes(getattr(adapter, name)))
        if highest >= T:
            rule = f"{name} < T must hold, or no mask event comes before T"
            fix = "lower it or train longer"
            return name, f"{rule}, but got {name}={highest}, T={T}; {fix}"
    return None


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
    grace_fraction: Annotated[float, Field(gt=0, le=1)] = 0.3
    """The first rung, as a fraction of a trial's reports."""


class SeedsSpec(Section):
    """The three independent random streams of a trial."""

    init: Seed = 0
    data: Seed = 0
    mask: Seed = 0


class ResourcesSpec(Section):
    """What a trial may use; None: decided from what the cluster has."""

    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    cpus_per_trial: Count | None = None
    max_concurrent: Count | None = None

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
    scheduler: SchedulerSpec = SchedulerSpec()
    seeds: SeedsSpec = SeedsSpec()
    resources: ResourcesSpec = ResourcesSpec()

    @property
    def objective(self) -> str:
        """The name of the metric that decides, as trials report it: `dev_mcc`."""
        return f"dev_{self.search.metric}"

    @property
    def domains(self) -> dict[str, Domain]:
        """The searched leaves by name, in the order of the fields: adapter, then training."""
        leaves = [*self.adapter, *self.training]
        return {name: leaf for name, leaf in leaves if isinstance(leaf, Domain)}

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: section for name, section in given.items() if section is not None}

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
