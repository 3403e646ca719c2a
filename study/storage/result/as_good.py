"""Which trials cannot be told from the winner."""

from collections.abc import Sequence

from study.spec.goals import Objective
from study.storage.result.fields import Headline, TrialResult
from study.storage.result.racing import RaceSoFar


def as_good(
    trials: Sequence[TrialResult],
    headline: Headline | None,
    race: RaceSoFar | None,
    objective: Objective,
) -> tuple[int, ...] | None:
    """Returns the complete trials whose score is not clearly worse than the winner's, best first.

    The winner's score is the mean of its confirming runs, that of another candidate its estimate
    in the race, that of any other complete trial its score in the search. A trial is clearly worse
    if the 95 % interval of the difference (Student's t, with the sd between seeds of the race)
    lies on one side of 0. Trials that were stopped or that break a constraint are left out. None
    without a race that is over.
    """
    known = headline and headline.confirmed and headline.dev.get(objective.metric)
    if headline is None or not known or race is None or race.noise is None:
        return None
    from scipy import special  # Not scipy.stats, which takes seconds to import.

    noise, sign = race.noise, 1 if objective.maximize else -1
    quantile = float(special.stdtrit(noise.freedom, 0.975))
    gaps = {}
    for trial in trials:
        value = trial.score if trial.estimate is None else trial.estimate
        if trial.state != "complete" or trial.feasible is False or value is None:
            continue
        error = noise.sd if trial.error is None else trial.error
        gap = sign * (known.mean - value)
        if gap <= quantile * (noise.sd**2 / known.count + error**2) ** 0.5:
            gaps[trial.number] = gap
    return tuple(sorted(gaps.keys() - {headline.trial}, key=lambda number: (gaps[number], number)))
