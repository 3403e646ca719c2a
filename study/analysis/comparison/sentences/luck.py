"""Whose luck a score is, in sentences, and what would tell the mask's share."""

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.components.further import POINTS
from study.analysis.comparison.components.luck import POOLED, Luck
from study.analysis.comparison.design import FACTORS
from study.analysis.comparison.sentences.numbers import listed, needed, percent


def luck(task: TaskAnalysis) -> list[str]:
    """Names the shares of mask, init and data in the variance of a score, with intervals."""
    chosen = [lk for lk in task.lucks if lk.configuration in (POOLED, task.leader)]
    found = []
    for one in chosen:
        who = f"Over {one.configuration}" if one.configuration == POOLED else one.configuration
        if not one.estimable:
            found.append(f"{who}: {_not_told(one)}.")
            continue
        if not one.components.total:
            found.append(f"{who}: the scores do not vary, so that no luck is seen.")
            continue
        scale = "" if one.scale.name == "raw" else f" on the scale of {one.scale.name}"
        found.append(f"{who}{scale}: {listed(_shares(one), 'and')} of the variance.")
        found.append(_largest(one))
        found += [
            f"{name} cannot be estimated: {one.components[name].reason}."
            for name in FACTORS
            if one.components[name].estimate is None and one.components.counts["mask"]
        ]
    return found


def share_plans(task: TaskAnalysis) -> list[str]:
    """Says how many runs would tell the mask's share of the luck."""
    found = []
    for one in task.lucks:
        if one.plan and one.estimable and one.configuration in (POOLED, task.leader):
            told = needed(one.plan) if one.plan.reason or one.plan.further else _known(one)
            found.append(f"The mask's share within 15 points, {one.configuration}: {told}.")
    return found


def _not_told(one: Luck) -> str:
    """Why no factor's luck is estimated: the design, or that too little of it has finished."""
    if not one.planned:
        return (
            "the seeds never change one at a time, so that mask, init and data cannot be told "
            "apart; a crossed design (study.seeds) can"
        )
    if one.components.runs < one.rows:
        return (
            f"only {one.components.runs} of {one.rows} runs have a score, too few to tell "
            "mask, init and data apart"
        )
    return "no factor has two seeds, so that none of their luck is seen"


def _shares(one: Luck) -> list[str]:
    found = []
    for part in one.components.components:
        if part.share is None or part.estimate is None:
            continue
        limits = ""
        if part.share_low is not None and part.share_high is not None:
            limits = f" ({percent(part.share_low)} to {percent(part.share_high)})"
        if part.name in FACTORS or part.share >= 0.1:
            found.append(f"{part.name} {percent(part.share)}{limits}")
    return found


def _known(one: Luck) -> str:
    """What to say where the plan asks for no more runs: the interval may still be wider."""
    mask = one.components["mask"]
    share, low, high = mask.share, mask.share_low, mask.share_high
    if share is None or low is None or high is None:
        return "no further runs are planned, but there is no interval"
    if max(high - share, share - low) <= POINTS:
        return "known well enough"
    return (
        f"not known yet ({percent(low)} to {percent(high)}), though its estimate alone, "
        f"{percent(share)}, would ask for no more runs"
    )


def _largest(one: Luck) -> str:
    """Which factor is the largest for sure, if any."""
    parts = [p for p in (one.components[name] for name in FACTORS) if p.share is not None]
    best = max(parts, key=lambda part: part.share or 0)
    others = [part.share_high for part in parts if part is not best]
    if best.share_low is None or None in others or not others:
        return "With so few seeds nothing is said about which source is the largest."
    if best.share_low > max(high or 0 for high in others):
        return f"The {best.name} seed matters most: its interval lies above those of the others."
    return "Which source matters most is undecided: the intervals overlap."
