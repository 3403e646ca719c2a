"""The crossed design: every configuration with every seed of each stream, and how it may grow."""

from itertools import product
from pathlib import Path

from study.engine.comparison.runs import ComparisonRun, Configuration
from study.errors import InputError
from study.spec import StudySpec
from study.spec.comparison.schema import FACTORS, ComparisonSpec, load_comparison
from study.storage.opening import Changes


def runs_of(spec: ComparisonSpec) -> list[ComparisonRun]:
    """All replicates, block by block: one init and one data seed with every configuration.

    An interrupted comparison then has whole blocks, in which configurations are compared on equal
    seeds. Where no mask draws, one replicate stands for all mask seeds.
    """
    seeds = spec.seeds
    configurations = [Configuration(label, one) for label, one in spec.configurations.items()]
    found = [
        ComparisonRun.of(configuration, mask, init, data)
        for data, init, configuration, mask in product(
            seeds.data, seeds.init, configurations, seeds.mask
        )
    ]
    return list(dict.fromkeys(found))


def changes_of_comparison(now: ComparisonSpec) -> Changes:
    """Refuses what is missing or set otherwise than before; more of everything is welcome.

    How many resources are used may change.
    """

    def changes(file: Path) -> list[str]:
        found = _changes(load_comparison(file), now)
        if found:
            raise InputError(
                f"{file.parent}: --resume needs the configurations and seeds that the comparison "
                f"was started with (spec.yaml), or more of them, but: {'; '.join(found)}; undo "
                "the change, or start a comparison of another --name"
            )
        return found

    return changes


def _changes(before: ComparisonSpec, now: ComparisonSpec) -> list[str]:
    found = []
    for label, spec in before.configurations.items():
        if label not in now.configurations:
            found.append(f"configuration {label} (left out)")
        elif _decides(now.configurations[label]) != _decides(spec):
            found.append(f"configuration {label} (set otherwise)")
    for factor in FACTORS:
        earlier, seeds = getattr(before.seeds, factor), getattr(now.seeds, factor)
        if seeds[: len(earlier)] != earlier:
            text = f"{len(earlier)} before, {len(seeds)} now"
            if seeds[0] != earlier[0]:
                text = f"from {earlier[0]} before, from {seeds[0]} now"
            found.append(f"{factor} seeds ({text})")
    return found


def _decides(spec: StudySpec) -> tuple[object, ...]:
    return spec.backbone, spec.task, spec.adapter, spec.training, spec.search.metric
