"""Sentences on variance components: shares of mask, init and data; runs needed for these."""

from study.analysis.comparison.analysis import TaskAnalysis
from study.analysis.comparison.components.configurations import POOLED, ConfigurationComponents
from study.analysis.comparison.components.sample_size import POINTS
from study.analysis.comparison.sentences.numbers import listed, percent, runs_needed
from study.spec.comparison.schema import FACTORS


def sources_of_variance(task: TaskAnalysis) -> list[str]:
    """Returns the shares of mask, init and data in the variance of a run, with 95 % intervals."""
    sentences = []
    for one in _reported(task):
        name = one.configuration
        if not one.estimable:
            sentences.append(f"{name}: {_why_not_estimable(one)}.")
            continue
        if not one.components.total:
            sentences.append(f"{name}: the scores do not vary, so that there is no variance.")
            continue
        scale = "" if one.scale.name == "raw" else f", on the {one.scale.name} scale"
        shares = listed(_shares(one), "and")
        sentences.append(f"{name}: of the variance between runs{scale}, {shares}.")
        sentences.append(_largest(one))
        sentences += [
            f"The {factor} component cannot be estimated: {one.components[factor].reason}."
            for factor in FACTORS
            if one.components[factor].estimate is None and one.components.counts["mask"]
        ]
    return sentences


def runs_for_mask_share(task: TaskAnalysis) -> list[str]:
    """Returns how many runs would estimate the mask's share of the variance well enough."""
    sentences = []
    for one in _reported(task):
        needed = one.runs_needed
        if needed and one.estimable:
            text = runs_needed(needed) if needed.reason or needed.further else _if_no_runs(one)
            sentences.append(
                f"{one.configuration}, mask's share of the variance within 15 percentage points: "
                f"{text}."
            )
    return sentences


def _reported(task: TaskAnalysis) -> list[ConfigurationComponents]:
    """Those of the leader and the pooled ones."""
    labels = (POOLED, task.leader)
    return [one for one in task.variance_components if one.configuration in labels]


def _why_not_estimable(one: ConfigurationComponents) -> str:
    """Returns why no component is estimated: the design, or too few finished runs."""
    if not one.planned_crossed:
        return (
            "the seeds of a run all change together, so that mask, init and data cannot be "
            "separated; a crossed design (study.seeds) can separate them"
        )
    if one.components.runs < one.rows:
        return (
            f"only {one.components.runs} of {one.rows} runs have a score, too few to separate "
            "mask, init and data"
        )
    return "no factor has two seeds, so that no variance component can be estimated"


def _shares(one: ConfigurationComponents) -> list[str]:
    shares = []
    for part in one.components.components:
        if part.share is None or part.estimate is None:
            continue
        limits = ""
        if part.share_low is not None and part.share_high is not None:
            limits = f" ({percent(part.share_low)} to {percent(part.share_high)})"
        if part.name in FACTORS or part.share >= 0.1:
            shares.append(f"{part.name} {percent(part.share)}{limits}")
    return shares


def _if_no_runs(one: ConfigurationComponents) -> str:
    """Returns what is known if no further runs are needed by the estimates; the interval may
    still be too wide."""
    mask = one.components["mask"]
    share, low, high = mask.share, mask.share_low, mask.share_high
    if share is None or low is None or high is None:
        return "no further runs are needed by the estimate, but there is no interval"
    if max(high - share, share - low) <= POINTS:
        return "the present runs are enough"
    return (
        f"not reached ({percent(low)} to {percent(high)}), although the estimate itself, "
        f"{percent(share)}, asks for no further runs"
    )


def _largest(one: ConfigurationComponents) -> str:
    """Returns which factor is significantly the largest source, if any."""
    parts = [p for p in (one.components[name] for name in FACTORS) if p.share is not None]
    best = max(parts, key=lambda part: part.share or 0)
    others = [part.share_high for part in parts if part is not best]
    if best.share_low is None or None in others or not others:
        return "There are too few seeds to say which source is the largest."
    if best.share_low > max(high or 0 for high in others):
        return (
            f"The {best.name} seed is the largest source: its interval lies above those of the "
            "others."
        )
    return "Which source is the largest is undecided: the intervals overlap."
