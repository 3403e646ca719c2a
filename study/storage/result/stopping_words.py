"""What early stopping saved and cost, in sentences for the terminal and the page."""

from study.storage.result.fields import StudyResult
from study.storage.result.stopping import EarlyStopping


def stopping_lines(result: StudyResult, audit: float = 0.0) -> list[str]:
    """Returns the sentences, the savings first; [] if no trial was stopped.

    `audit` is the share of the stopped trials that was to be drawn.
    """
    one = result.stopping
    if one is None:
        return []
    share = one.saved / (one.steps + one.saved)
    lines = [
        f"{one.stopped} of {len(result.trials)} trials were stopped early, which saved "
        f"{one.saved:,} of {one.steps + one.saved:,} steps of the search ({share:.0%})."
    ]
    if one.audited:
        return lines + _regret(one)
    if audit and not one.waiting:
        lines.append(f"None of them was drawn for the audit (scheduler.audit {audit:g}).")
    return lines


def _regret(one: EarlyStopping) -> list[str]:
    trials = "trial" if one.stopped == 1 else "trials"
    drawn = f"{one.audited} of the {one.stopped} stopped {trials}, drawn at random,"
    if one.audited == one.stopped:
        drawn = f"All {one.stopped} stopped trials" if one.stopped > 1 else "The stopped trial"
    lines = [
        f"{drawn} trained to the end all the same ({one.audit_steps:,} steps): {one.better} ended "
        f"better than the best of the search.{_population(one)}"
    ]
    if one.loss is None or one.loss_high is None:
        text = f"By how much early stopping lowers the best score is not predicted: {one.unknown}."
    elif one.loss_high == 0 and one.better_high > 0:
        # A prediction of trials that did not run on, which the exact interval may not exclude.
        text = (
            "The best score is predicted to be the same without early stopping, if the other "
            "stopped trials go on like those that ran on."
        )
    elif one.loss_high == 0:
        text = "Without early stopping the search would have had the same best score."
    else:
        given = "" if one.audited == one.stopped else ", if the others go on like these"
        text = (
            f"Without early stopping the best score of the search would be better by about "
            f"{one.loss:.4f} (95 % interval {one.loss_low:.4f} to {one.loss_high:.4f}{given})."
        )
    return [*lines, text]


def _population(one: EarlyStopping) -> str:
    """Returns the sentence on all stopped trials; empty if all ran on."""
    if one.audited == one.stopped:
        return ""
    return (
        f" Of all {one.stopped} stopped trials {one.better_low} to {one.better_high} would have "
        "(95 % interval)."
    )
