"""The crossed design of a comparison, and the changes with which it may be resumed."""

from itertools import product

from study.engine.comparison.runs import ComparisonRun, Configuration
from study.errors import InputError
from study.spec import StudySpec
from study.spec.comparison.schema import FACTORS, ComparisonSpec, load_comparison
from study.storage.opening import Changes
from study.storage.stored import StoredStudy


def runs_of(spec: ComparisonSpec) -> list[ComparisonRun]:
    """Returns all runs, in blocks: every configuration with one init and one data seed.

    An interrupted comparison has complete blocks, in which configurations have equal seeds. A
    configuration without a random mask has one run per block.
    """
    seeds = spec.seeds
    configurations = [Configuration(label, one) for label, one in spec.configurations.items()]
    runs = [
        ComparisonRun.of(configuration, mask, init, data)
        for data, init, configuration, mask in product(
            seeds.data, seeds.init, configurations, seeds.mask
        )
    ]
    return list(dict.fromkeys(runs))


def changes_of_comparison(now: ComparisonSpec) -> Changes:
    """Returns a check of the spec.yaml of a comparison that is resumed as `now`.

    Configurations and seeds may be added, and resources may change. Everything else must be equal.
    """

    def changes(stored: StoredStudy) -> list[str]:
        differences = _changes(load_comparison(stored.folder.spec), now)
        if differences:
            raise InputError(
                f"{stored.folder.path}: --resume must have the configurations and seeds of the "
                f"started comparison (spec.yaml), or more of them, but got "
                f"{'; '.join(differences)}; undo the change, or start a comparison with another "
                "--name"
            )
        return differences

    return changes


def _changes(before: ComparisonSpec, now: ComparisonSpec) -> list[str]:
    differences = []
    for label, spec in before.configurations.items():
        if label not in now.configurations:
            differences.append(f"configuration {label} (left out)")
        elif _fixed(now.configurations[label]) != _fixed(spec):
            differences.append(f"configuration {label} (changed settings)")
    for factor in FACTORS:
        earlier, seeds = getattr(before.seeds, factor), getattr(now.seeds, factor)
        if seeds[: len(earlier)] != earlier:
            text = f"{len(earlier)} before, {len(seeds)} now"
            if seeds[0] != earlier[0]:
                text = f"from {earlier[0]} before, from {seeds[0]} now"
            differences.append(f"{factor} seeds ({text})")
    return differences


def _fixed(spec: StudySpec) -> tuple[object, ...]:
    return spec.backbone, spec.task, spec.adapter, spec.training, spec.search.metric
