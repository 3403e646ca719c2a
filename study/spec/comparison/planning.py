"""Which seeds a comparison uses: pairs of fresh seeds, crossed seeds, or both.

Differences between configurations are decided by pairs: independent, and paired by equal seeds.
With as many runs a crossed design finds a difference far less often, because its few seeds of a
factor are shared by many runs; it is made for the question which seeds cause the variance.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from study.errors import InputError
from study.spec.comparison.schema import ComparisonSpec, FactorSeeds, is_masked
from study.spec.schema import SeedsSpec, StudySpec

DesignName = Literal["paired", "crossed", "both"]
PAIRS = 27
"""Default number of pairs: a true difference of one sd of a difference is found in 95 % of such
comparisons of two configurations, however often they are looked at."""
CROSSING = (5, 3, 3)
"""Default number of mask, init and data seeds of the crossed runs."""
SMALLER = ((4, 3, 3), (3, 3, 3), (3, 3, 2), (3, 2, 2))
"""Crossings for a budget that is too small for the default one."""
ALL_PAIRS = 6
FEWEST_PAIRS = 8
"""With fewer pairs nothing can be decided: their signs alone are not evidence enough."""

Crossing = tuple[int, int, int]


def number_of_questions(configurations: int) -> int:
    """Returns how many pairs are compared, which share the error of 5 %."""
    if configurations > ALL_PAIRS:
        return configurations - 1
    return configurations * (configurations - 1) // 2


def fewest_pairs(comparisons: int) -> int:
    """Returns how many pairs are enough to decide a large difference.

    `comparisons` share the error of 5 %; twice as many need one pair more.
    """
    return FEWEST_PAIRS + math.ceil(math.log2(max(1, comparisons)))


@dataclass(frozen=True)
class SeedsPlan:
    """What was asked for; None where nothing was."""

    design: DesignName | None = None
    pairs: int | None = None
    crossing: tuple[int | None, int | None, int | None] = (None, None, None)
    """Number of mask, init and data seeds of the crossed runs."""
    components: bool = False
    """Whether the first configuration is also run with crossed seeds."""
    until_decided: bool = False
    """Whether pairs are added as long as nothing is decided."""
    runs: int | None = None
    """Largest number of runs of all configurations together."""


def seeds_of_plan(
    plan: SeedsPlan,
    configurations: Mapping[str, StudySpec],
    study: SeedsSpec,
    stored: ComparisonSpec | None,
) -> dict[str, FactorSeeds]:
    """Returns the seeds by key of the comparison's spec.yaml: pairs, components or seeds.

    Args:
        plan: what was asked for.
        configurations: by label; the crossed runs are of the first.
        study: the seeds of the study, from which those of the comparison are distinct.
        stored: the comparison that is resumed; what is not asked for stays as it is.

    Raises:
        InputError: options contradict each other or the stored design, or the budget is too small.
    """
    if stored is not None and stored.seeds is not None:
        return {"seeds": _earlier_version(plan, study, stored.seeds)}
    kind = plan.design or _default_design(plan, len(configurations), stored)
    _check(plan, kind)
    crossing = _crossing(plan, kind, configurations, stored) if kind != "paired" else None
    seeds = {}
    if kind != "crossed":
        pairs = _pairs(plan, crossing, configurations, stored)
        seeds["pairs"] = FactorSeeds.fresh(study, pairs, pairs, pairs)
    if crossing is not None:
        seeds["components"] = FactorSeeds.fresh(study, *crossing)
    return seeds


def _default_design(plan: SeedsPlan, count: int, stored: ComparisonSpec | None) -> DesignName:
    had_crossed = stored is not None and stored.components is not None
    wants_crossed = plan.components or any(plan.crossing) or had_crossed
    if count == 1 and plan.pairs is None and (stored is None or stored.pairs is None):
        return "crossed"
    return "both" if wants_crossed or (plan.runs and stored is None) else "paired"


def _check(plan: SeedsPlan, kind: DesignName) -> None:
    if kind == "crossed" and plan.pairs is not None:
        raise InputError(
            f"--pairs {plan.pairs}: must be given with --design paired or both, but got crossed; "
            "leave one of them out"
        )
    if kind == "paired" and any(plan.crossing):
        raise InputError(
            "--mask-seeds, --init-seeds, --data-seeds: must be given with crossed runs, but got "
            "--design paired; use --design both, or leave them out"
        )
    if plan.runs is not None and plan.pairs is not None:
        raise InputError(
            f"--runs {plan.runs}: must be given without --pairs, but got --pairs {plan.pairs}; "
            "leave one of them out"
        )


def _crossing(
    plan: SeedsPlan,
    kind: DesignName,
    configurations: Mapping[str, StudySpec],
    stored: ComparisonSpec | None,
) -> Crossing | None:
    """Returns the crossing; of a budget at most a third if pairs are planned as well."""
    sizes = CROSSING
    if stored is not None and stored.components is not None:
        before = stored.components
        sizes = (len(before.mask), len(before.init), len(before.data))
    mask, init, data = (asked or size for asked, size in zip(plan.crossing, sizes, strict=True))
    if plan.runs is None or any(plan.crossing) or stored is not None:
        return mask, init, data
    first = next(iter(configurations.values()))
    most = plan.runs if kind == "crossed" else plan.runs // 3
    for one in (CROSSING, *SMALLER):
        if _count(one, first) <= most:
            return one
    if kind == "crossed":
        least = _count(SMALLER[-1], first)
        raise InputError(
            f"--runs {plan.runs}: must be at least {least} for crossed runs, but got {plan.runs}; "
            "give more"
        )
    return None


def _pairs(
    plan: SeedsPlan,
    crossing: Crossing | None,
    configurations: Mapping[str, StudySpec],
    stored: ComparisonSpec | None,
) -> int:
    before = 0 if stored is None or stored.pairs is None else len(stored.pairs.init)
    least = fewest_pairs(number_of_questions(len(configurations)))
    if plan.runs is None:
        pairs = plan.pairs or before or (least if plan.until_decided else PAIRS)
        # The same command line continues a comparison to which pairs have been added.
        return max(pairs, before) if plan.until_decided else pairs
    count, first = len(configurations), next(iter(configurations.values()))
    pairs = (plan.runs - (_count(crossing, first) if crossing else 0)) // count
    if pairs < least:
        raise InputError(
            f"--runs {plan.runs}: must give at least {least} pairs of {count} "
            f"configurations, but got {max(pairs, 0)}; give at least {least * count} with "
            "--design paired"
        )
    return max(pairs, before)


def _earlier_version(plan: SeedsPlan, study: SeedsSpec, before: FactorSeeds) -> FactorSeeds:
    """Returns the crossed seeds of a comparison in which all configurations have them."""
    asked = plan.pairs is not None or plan.runs is not None or plan.until_decided
    asked = asked or plan.components
    if asked or plan.design in ("paired", "both"):
        raise InputError(
            "--resume: a comparison of an earlier version must keep its crossed seeds, but got "
            "another design; leave --design, --pairs, --components, --runs and --until out, or "
            "start a comparison with another --name"
        )
    sizes = (len(before.mask), len(before.init), len(before.data))
    return FactorSeeds.fresh(
        study, *(given or size for given, size in zip(plan.crossing, sizes, strict=True))
    )


def _count(crossing: Crossing, spec: StudySpec) -> int:
    mask, init, data = crossing
    return (mask if is_masked(spec) else 1) * init * data
