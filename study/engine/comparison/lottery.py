"""The configurations of `study.seeds --lottery`: does a winner's rank pattern matter?

AdaLoRA+RS ends with a rank for every layer. If the pattern itself is what helps, LoRA that has it
from the start is better than LoRA with as many parameters elsewhere; if only the path helps, on
which triplets come and go, it is not, and the winner is better than all of them:

    pattern    LoRA with the winner's final ranks
    shuffled   LoRA with the same ranks in a random order of the layers
    uniform    LoRA with the same rank in every layer, as far as whole numbers allow
    best       the winner

All have the data, the training and the optimizer settings of the winner, and the scale of its
update, alpha / b0, in every layer: a triplet has the same weight and step size everywhere. The
first three have as many parameters: of `DRAWN` random orders the one with the nearest number is
taken, and the uniform rank is raised by 1 in as many layers, drawn at random, as the number needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adapters.targets import layer_names
from study.errors import InputError
from study.models.sizes import Sizes
from study.spec import AdaLoraRSSpec, AdaLoraSpec, LoraSpec, StudySpec

PATTERN, SHUFFLED, UNIFORM = "pattern", "shuffled", "uniform"
DRAWN = 1000
Ranks = dict[str, int]


@dataclass(frozen=True)
class Arm:
    """A configuration of the lottery, and a remark on its ranks."""

    spec: StudySpec
    note: str


def lottery_arms(
    winner: StudySpec, ranks: Mapping[str, int], sizes: Sizes, seed: int
) -> dict[str, Arm]:
    """Returns the three LoRA configurations by label.

    Args:
        winner: the settings of the winner, of AdaLoRA+RS or AdaLoRA.
        ranks: the final rank of every layer.
        sizes: of the backbone.
        seed: of the random order and of the layers with one triplet more.

    Raises:
        InputError: the winner does not prune, or its ranks are equal in all layers, so that
            there is no pattern.
    """
    adapter = winner.adapter
    if not isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec):
        raise InputError(
            "--lottery: the winner must be of adalora_rs or adalora, but got method "
            f"{adapter.method}, which has no pattern of ranks; give another study"
        )
    if len(set(ranks.values())) < 2:
        raise InputError(
            f"--lottery: the winner must have different ranks, but got {max(ranks.values())} in "
            "every layer; give another study"
        )
    costs = {name: _cost(name, sizes) for name in ranks}
    size = _size(ranks, costs)
    generator = np.random.default_rng([seed, 0])
    chosen = {
        PATTERN: dict(ranks),
        SHUFFLED: shuffled(ranks, costs, generator),
        UNIFORM: uniform(costs, size, generator),
    }
    return {
        label: Arm(
            _lora(winner, own),
            f"ranks {min(own.values())} to {max(own.values())}, {sum(own.values())} triplets in "
            f"{sum(rank > 0 for rank in own.values())} of {len(own)} layers, "
            f"{_size(own, costs):,} parameters",
        )
        for label, own in chosen.items()
    }


def shuffled(
    ranks: Mapping[str, int], costs: Mapping[str, int], generator: np.random.Generator
) -> Ranks:
    """Returns the ranks in a random order of the layers, with nearly as many parameters.

    That is the order of `DRAWN` whose number of parameters is the nearest, the first of equals.
    """
    values, cost = np.array(list(ranks.values())), np.array([costs[name] for name in ranks])
    orders = [generator.permutation(values) for _ in range(DRAWN)]
    different = [order for order in orders if (order != values).any()]
    nearest = min(different, key=lambda order: abs(int(order @ cost) - int(values @ cost)))
    return dict(zip(ranks, map(int, nearest), strict=True))


def uniform(costs: Mapping[str, int], size: int, generator: np.random.Generator) -> Ranks:
    """Returns equal ranks with nearly `size` parameters: at most, by less than one triplet.

    The layers of a random order get one triplet more as long as they fit.
    """
    floor = size // sum(costs.values())
    ranks, left = dict.fromkeys(costs, floor), size - floor * sum(costs.values())
    names = list(costs)
    for place in generator.permutation(len(names)):
        if costs[names[place]] <= left:
            ranks[names[place]] += 1
            left -= costs[names[place]]
    return ranks


def _lora(winner: StudySpec, ranks: Ranks) -> StudySpec:
    adapter = winner.adapter
    assert isinstance(adapter, AdaLoraRSSpec | AdaLoraSpec)
    lora = LoraSpec(
        matrices=adapter.matrices,
        rank=adapter.b0,
        rank_pattern=tuple(ranks.items()),
        alpha=adapter.alpha,
        dropout=adapter.dropout,
    )
    return winner.model_copy(update={"adapter": lora})


def _size(ranks: Mapping[str, int], costs: Mapping[str, int]) -> int:
    return sum(rank * costs[name] for name, rank in ranks.items())


def _cost(name: str, sizes: Sizes) -> int:
    """Returns the parameters of a LoRA triplet of a layer: its outputs plus inputs."""
    names = layer_names(sizes.family)
    found = [matrix for matrix, suffix in names.items() if name.endswith(f".{suffix}")]
    if not found:
        raise InputError(
            f"--lottery: layers must be those of the {sizes.family} family, but got {name}; give "
            "a study of this backbone"
        )
    return sizes.width(max(found, key=lambda matrix: len(names[matrix])))
