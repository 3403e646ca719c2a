"""The `adapter` section: one class for each fine-tuning method, selected by `method`."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from study.spec.domains import Domain, FloatDomain, Searchable, extremes
from study.spec.leaves import (
    DEFAULT_MATRICES,
    Decay,
    Interval,
    Matrices,
    NonNegative,
    OptionalRate,
    PositiveNumber,
    Rate,
    RatioCount,
    SearchableCount,
    SearchableSteps,
)
from study.spec.peft import PeftSpec
from study.spec.rank_pattern import RankPattern
from study.spec.rules import Section, refuse


class _Budgeted(Section):
    """Settings of both AdaLoRA and AdaLoRA+RS: the budget and the importance score."""

    matrices: Matrices = DEFAULT_MATRICES
    b0: SearchableCount = 12
    """Average triplets per adapted matrix at the start: the initial rank of every matrix."""
    rank_pattern: RankPattern | None = None
    """The initial rank of every layer, by its name; then `b0` has no effect but in alpha / b0."""
    bT: RatioCount = 6
    """Average triplets per adapted matrix at the end, at most b0; search it as a ratio of b0."""
    deltaT: Interval = 100
    """Steps between mask events: a whole number, or a fraction of T."""
    beta1: Decay = 0.85
    """EMA factor of the sensitivity."""
    beta2: Decay = 0.85
    """EMA factor of the uncertainty."""
    final_fraction: Decay = 0.25
    """(T_total - T) / T_total: the last part of the steps, in which the mask is frozen."""
    warmup_steps: SearchableSteps = 0
    """No mask event up to this step."""
    alpha: PositiveNumber = 32.0
    """The update is scaled by alpha / b0."""
    dropout: Decay = 0.0
    gamma: NonNegative = 0.1
    """Weight of the orthogonality penalty in the training loss."""
    prune_mode: Annotated[Literal["zero", "mask"], Searchable()] = "zero"
    score_loss: Annotated[Literal["task", "total"], Searchable()] = "task"
    """The loss whose gradient the scores use: the task's, or the total with the penalty."""

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
                text = (
                    f"bT <= b0 must hold in the whole space, but got bT={highest} with b0={lowest}"
                )
            else:
                text, fix = f"bT <= b0 must hold, but got bT={bT}, b0={b0}", f"lower bT, or {fix}"
            refuse(("bT",), f"{text}; {fix}", highest)
        return self

    @model_validator(mode="after")
    def _final_budget_at_most_the_pattern(self) -> "_Budgeted":
        if self.rank_pattern is None:
            return self
        _refuse_domain("b0", self.b0)
        ranks = [rank for _, rank in self.rank_pattern if rank]
        mean, bT = sum(ranks) / len(ranks), self.bT
        highest: Any = max(extremes(bT))
        if isinstance(bT, FloatDomain):
            highest = max(1, round(highest * self.b0))
        if highest > mean:
            text = f"bT <= mean rank of rank_pattern must hold, but got bT={highest}, {mean:.3g}"
            refuse(("bT",), f"{text}; lower bT", highest)
        return self


class AdaLoraRSSpec(_Budgeted):
    """AdaLoRA with random sampling (Zhan & Zhang 2023)."""

    method: Literal["adalora_rs"] = "adalora_rs"
    p: Rate = 0.05
    """Bernoulli rate: probability that a top triplet is dropped, and that any other is kept."""
    p_reintroduce: OptionalRate = None
    """Probability that any other triplet is kept, if it differs from p; None: p."""
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
    matrices: Matrices = DEFAULT_MATRICES
    rank: SearchableCount = 8
    rank_pattern: RankPattern | None = None
    """The rank of every layer, by its name; then `rank` has no effect but in alpha / rank."""
    alpha: PositiveNumber = 32.0
    """The update is scaled by alpha / rank, in every layer."""
    dropout: Decay = 0.0

    @model_validator(mode="after")
    def _rank_is_only_a_scale_beside_a_pattern(self) -> "LoraSpec":
        if self.rank_pattern is not None:
            _refuse_domain("rank", self.rank)
        return self


class FmftSpec(Section):
    """Full-model fine-tuning: every weight trains."""

    method: Literal["fmft"] = "fmft"


class LinearProbeSpec(Section):
    """Only the classification head trains."""

    method: Literal["linear_probe"] = "linear_probe"


Adapter = Annotated[
    AdaLoraRSSpec | AdaLoraSpec | LoraSpec | FmftSpec | LinearProbeSpec | PeftSpec,
    Field(discriminator="method"),
]

METHOD_SPECS: tuple[type[Section], ...] = get_args(get_args(Adapter)[0])


def _refuse_domain(leaf: str, value: object) -> None:
    """Refuses to search a leaf that only scales the update, as alpha does."""
    if isinstance(value, Domain):
        text = "must be one value beside rank_pattern, where only alpha / {0} depends on it, but "
        refuse((leaf,), f"{text.format(leaf)}got a domain; search alpha, or give {leaf} one value")


def has_scores(method: Any) -> bool:
    """Returns whether a method prunes by importance scores, which have a `score_loss`."""
    return method in ("adalora_rs", "adalora")


def add_absent(adapter: Any) -> None:
    """Adds to the `adapter` section of a stored spec what the version that wrote it did not have.

    The scores of a version without `score_loss` were those of the total loss.
    """
    if isinstance(adapter, dict) and has_scores(adapter.get("method")):
        adapter.setdefault("score_loss", "total")


def is_foreign(method: str, leaf: str) -> bool:
    """Returns whether a setting exists for other methods, but not for this one."""
    known = {spec.model_fields["method"].default: spec.model_fields for spec in METHOD_SPECS}
    return leaf not in known[method] and any(leaf in fields for fields in known.values())


def late_setting(adapter: Adapter, total_steps: int) -> tuple[str, str] | None:
    """Returns the setting that prevents any mask event before T, and an error message.

    None if there are mask events, or the method has none. A YAML with `training.steps` is checked
    when it is read; with `training.epochs` the number of steps depends on the data.
    """
    if not isinstance(adapter, _Budgeted):
        return None
    T = round((1 - max(extremes(adapter.final_fraction))) * total_steps)
    for name in ("deltaT", "warmup_steps"):
        highest = max(extremes(getattr(adapter, name)))
        if highest >= T:
            rule = f"{name} < T must hold for a mask event before T"
            fix = "lower it or train longer"
            return name, f"{rule}, but got {name}={highest}, T={T}; {fix}"
    return None
