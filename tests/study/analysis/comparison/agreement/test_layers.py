"""Agreement of runs on the rank of a layer."""

from itertools import combinations, product

import numpy as np
import pytest

from study.analysis.comparison.agreement.layers import layer_agreement


def ratio(a: int, b: int) -> float:
    return min(a, b) / max(a, b) if max(a, b) else 1.0


def test_it_is_the_mean_ratio_over_pairs_of_runs_and_by_chance_over_pairs_of_layers() -> None:
    table = np.random.default_rng(0).integers(0, 5, (4, 6))
    runs = [{f"layer {n}": int(rank) for n, rank in enumerate(row)} for row in table]
    layers, mean, by_chance = layer_agreement(runs)
    pairs = list(combinations(range(4), 2))
    for place, layer in enumerate(layers.values()):
        expected = np.mean([ratio(table[a, place], table[b, place]) for a, b in pairs])
        assert layer.agreement == pytest.approx(expected)
        assert layer.ranks == table[:, place].tolist()
        assert (layer.mean, layer.sd) == pytest.approx(
            (table[:, place].mean(), table[:, place].std(ddof=1))
        )
    assert mean == pytest.approx(np.mean([layer.agreement for layer in layers.values()]))
    everywhere = product(pairs, range(6), range(6))
    chance = [ratio(table[a, i], table[b, j]) for (a, b), i, j in everywhere]
    assert by_chance == pytest.approx(np.mean(chance))


def test_equal_runs_agree_also_where_nothing_is_adapted() -> None:
    layers, mean, by_chance = layer_agreement([{"a": 0, "b": 4}] * 3)
    assert {layer.agreement for layer in layers.values()} == {mean} == {1.0}
    assert by_chance == pytest.approx(0.5)
