"""The winner on the page: numbers of parameters; budget, kept and rank of its triplets."""

from study.analysis.study.allocation import expected_kept, rates, setting
from study.analysis.study.reading import StudyData
from study.analysis.text import shown
from study.storage.record import TrialRecord

PARAMETERS = (
    "adapter_parameters",
    "kept_parameters",
    "head_parameters",
    "trainable_parameters",
)


def parameters(study: StudyData) -> list[tuple[str, str]]:
    """Returns the numbers of parameters of the winner, or of the best trial so far."""
    metrics = study.leader.metrics if study.leader else {}
    return [(name, shown(metrics[name])) for name in PARAMETERS if name in metrics]


def triplets(study: StudyData) -> str:
    """Returns sentences on budget, kept and rank after the last mask event of the winner.

    Empty for methods without a budget, and without a complete trial.
    """
    trial = study.leader
    if trial is None:
        return ""
    last = study.trace[-1] if study.trace else trial.metrics
    if last.get("budget") is None or last.get("kept") is None:
        return ""
    rank = sum(last["ranks"].values()) if "ranks" in last else last.get("rank")
    text = (
        f"At the last mask event the budget was {shown(last['budget'])} singular triplets. The "
        f"random mask dropped {shown(last.get('dropped'))} of them and reintroduced "
        f"{shown(last.get('reintroduced'))} others, so {shown(last['kept'])} were kept. The rank, "
        f"the number of non-zero lam, is {shown(rank)} summed over all matrices."
    )
    return text + (_expectation(study, trial) if study.trace else "")


def _expectation(study: StudyData, trial: TrialRecord) -> str:
    """Returns a sentence on the number of triplets that eq. 1 keeps on average."""
    last = study.trace[-1]
    b, total = last["budget"], round(len(last["ranks"]) * setting(study.spec, trial, "b0"))
    p, reintroduce = rates(study.spec, trial)
    if p == 0 and reintroduce == 0:
        return " With p = 0 the number kept equals the budget."
    if setting(study.spec, trial, "final_mask") == "deterministic":
        return (
            " With final_mask: deterministic the number kept at the last event equals the budget."
        )
    mean = expected_kept(b, total, p, reintroduce)
    second = "p" if reintroduce == p else "p_reintroduce"
    text = (
        f" On average eq. 1 keeps (1 − p) b + {second} (n b0 − b) = {mean:.1f} of the "
        f"n b0 = {total:,} triplets (b = {b:,}, p = {p:.3g}"
    )
    if reintroduce == p:
        return text + "), which equals the budget b only if b = n b0 / 2."
    return text + f", p_reintroduce = {reintroduce:.3g}), which in general differs from b."
