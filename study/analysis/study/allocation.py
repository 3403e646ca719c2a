"""The winner's mask events: budget, kept triplets, and the rank of every matrix.

The budget b(t) is the number of singular triplets asked for, kept the number alive after the
random mask, and rank the number with non-zero lam.
"""

from dataclasses import dataclass
from typing import Any

from study.analysis.layers import MATRICES, layer_and_matrix
from study.spec import StudySpec
from study.storage.record import TrialRecord

SHOWN_EVENTS = 60
"""Maximum number of mask events in the map of ranks."""


@dataclass(frozen=True)
class Allocation:
    """The mask events of a trial and its budget schedule, in triplets of the whole model."""

    steps: list[int]
    budget: list[int]
    kept: list[int]
    expected: list[float]
    """Expected number kept by eq. 1 of AdaLoRA+RS."""
    reintroduced: list[int]
    dropped: list[int]
    schedule: list[tuple[int, float]]
    """(t, b(t)) from the first step to the last."""
    total_steps: int


@dataclass(frozen=True)
class RankMap:
    """The rank of every adapted matrix after mask events."""

    steps: list[int]
    """The steps of the columns."""
    layers: list[tuple[str, list[tuple[str, list[int]]]]]
    """(layer, [(matrix, ranks by column)])."""
    events: int
    """Number of mask events; larger than the number of columns if some are left out."""


def setting(spec: StudySpec, trial: TrialRecord, name: str) -> Any:
    """Returns a trial's value of an adapter setting, whether searched or fixed.

    With a rank pattern `b0` is the mean rank of the adapted matrices.
    """
    pattern = getattr(spec.adapter, "rank_pattern", None)
    if name == "b0" and pattern:
        ranks = [rank for _, rank in pattern if rank]
        return sum(ranks) / len(ranks)
    return trial.settings.get(name, getattr(spec.adapter, name, None))


def expected_kept(b: float, triplets: float, p: float, p_reintroduce: float) -> float:
    """Returns (1 - p) b + p_reintroduce (triplets - b): the number that eq. 1 keeps on average."""
    return (1 - p) * b + p_reintroduce * (triplets - b)


def rates(spec: StudySpec, trial: TrialRecord) -> tuple[float, float]:
    """Returns p and p_reintroduce, which defaults to p."""
    p = setting(spec, trial, "p") or 0.0
    reintroduce = setting(spec, trial, "p_reintroduce")
    return p, p if reintroduce is None else reintroduce


def schedule(
    b0: float, bT: int, matrices: int, warmup_steps: int, T: int, total_steps: int
) -> list[tuple[int, float]]:
    """Returns the cubic schedule (t, b(t)) at up to 200 steps from 1 to `total_steps`.

    b(t) = n bT + n (b0 - bT) (1 - (t - t_i) / (T - t_i))³ for warm-up t_i < t <= T, not rounded.
    """
    count = min(200, total_steps)
    steps = {1 + round(k * (total_steps - 1) / max(1, count - 1)) for k in range(count)}
    points = []
    for t in sorted(steps | {T, min(warmup_steps + 1, T)}):
        left = 1.0 if t <= warmup_steps else max(0, T - t) / (T - warmup_steps)
        points.append((t, matrices * (bT + (b0 - bT) * left**3)))
    return points


def allocation(
    spec: StudySpec, trial: TrialRecord, trace: list[dict[str, Any]]
) -> Allocation | None:
    """Returns the trial's mask events as series; None without any."""
    if not trace:
        return None
    matrices = len(trace[0]["ranks"])
    b0, bT = setting(spec, trial, "b0"), setting(spec, trial, "bT")
    p, reintroduce = rates(spec, trial)
    expected = [expected_kept(e["budget"], matrices * b0, p, reintroduce) for e in trace]
    if setting(spec, trial, "final_mask") == "deterministic":
        expected[-1] = float(trace[-1]["budget"])
    warmup_steps, T = setting(spec, trial, "warmup_steps"), trace[-1]["step"]
    return Allocation(
        steps=[e["step"] for e in trace],
        budget=[e["budget"] for e in trace],
        kept=[e["kept"] for e in trace],
        expected=expected,
        reintroduced=[e["reintroduced"] for e in trace],
        dropped=[e["dropped"] for e in trace],
        schedule=schedule(b0, bT, matrices, warmup_steps, T, trial.total_steps),
        total_steps=trial.total_steps,
    )


def rank_map(trace: list[dict[str, Any]]) -> RankMap | None:
    """Returns the ranks by layer and matrix; None without mask events.

    At most `SHOWN_EVENTS` events are included, evenly spaced, the last always.
    """
    if not trace:
        return None
    count = min(SHOWN_EVENTS, len(trace))
    chosen = sorted({round((k + 1) * len(trace) / count) - 1 for k in range(count)})
    shown = [trace[place] for place in chosen]
    layers: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for module in trace[0]["ranks"]:
        layer, matrix = layer_and_matrix(module)
        layers.setdefault(layer, []).append((matrix, module))
    return RankMap(
        steps=[event["step"] for event in shown],
        layers=[
            (name, [(m, [e["ranks"][module] for e in shown]) for m, module in _ordered(pairs)])
            for (_, name), pairs in sorted(layers.items())
        ],
        events=len(trace),
    )


def _ordered(modules: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sorts q, k, v, o, f1, f2 first, then other matrices by name."""
    rank = {matrix: place for place, matrix in enumerate(MATRICES)}
    return sorted(modules, key=lambda pair: (rank.get(pair[0], len(rank)), pair[0]))
