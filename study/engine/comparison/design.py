"""The runs of a comparison, and the changes with which it may be resumed."""

from study.engine.comparison.runs import ComparisonRun, Configuration
from study.errors import InputError
from study.spec import StudySpec
from study.spec.comparison.schema import (
    DESIGNS,
    FACTORS,
    ComparisonSpec,
    FactorSeeds,
    load_comparison,
)
from study.storage.opening import Changes
from study.storage.stored import StoredStudy


def runs_of(spec: ComparisonSpec) -> list[ComparisonRun]:
    """Returns all runs in the order of training."""
    configurations = {
        label: Configuration(label, one) for label, one in spec.configurations.items()
    }
    return [
        ComparisonRun(configurations[label], mask, init, data)
        for label, (mask, init, data) in spec.planned()
    ]


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
    for design in DESIGNS:
        earlier, seeds = getattr(before, design), getattr(now, design)
        if earlier is not None and seeds is None:
            differences.append(f"{design} (left out)")
        elif earlier is not None:
            differences += _fewer(design, earlier, seeds)
    if (before.seeds is None) != (now.seeds is None):
        differences.append("another design")
    return differences


def _fewer(design: str, before: FactorSeeds, now: FactorSeeds) -> list[str]:
    """Returns the factors that have lost seeds, or have others."""
    differences = []
    for factor in FACTORS:
        earlier, seeds = getattr(before, factor), getattr(now, factor)
        if seeds[: len(earlier)] != earlier:
            text = f"{len(earlier)} before, {len(seeds)} now"
            if seeds[0] != earlier[0]:
                text = f"from {earlier[0]} before, from {seeds[0]} now"
            of = "" if design == "seeds" else f" of {design}"
            differences.append(f"{factor} seeds{of} ({text})")
    return differences


def _fixed(spec: StudySpec) -> tuple[object, ...]:
    return spec.backbone, spec.task, spec.adapter, spec.training, spec.search.metric
