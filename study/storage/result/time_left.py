"""The time that is left of a study, a benchmark or a comparison, from its journal.

A study has four parts: the rest of the search, the race of its finalists, the evaluation of the
winner, and the audit of early stopping. The search is simulated with mean costs: the running
trials and those to come are put on the workers one after the other. A trial costs its steps times
the seconds per step so far, less what early stopping saves: the share of trials that the rungs let
through so far. The race costs whole trials, round after round, and new workers.

Nothing is said before the third trial has ended. All times are in seconds.
"""

import heapq
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from study.spec import StudySpec
from study.spec.rungs import rungs
from study.spec.space import planned_trials
from study.storage.auditing import steps_to_come
from study.storage.race import candidates, planned_candidates, rounds
from study.storage.record import StudyRecord, TrialRecord
from study.storage.result.pace import Pace, Survival, busy_seconds, measure, survival, worker_start

LEAST_ENDED = 3
"""Trials that must have ended before anything is said."""
NORMAL = statistics.NormalDist()
QUANTILE = 1.2816
"""Of the normal distribution, for an interval that holds in 80 % of all cases."""
DRIFT = 0.15
"""Standard deviation of the pace of the rest of a study, as a share of it: a machine's load."""
RACE_REPORTS = 2
"""Evaluations on dev of a run of the race."""
FINAL_EVALUATIONS = 1
"""Those of the winner on dev and test, in evaluations of a trial, which write checkpoints too."""
ALONE = 0.5
"""The start of a single worker, as a share of that of several at once: they share disk and CPU."""
MOST_SIMULATED = 2000
"""Trials to come that are put on workers one by one; more are divided among them."""


@dataclass(frozen=True)
class TimeLeft:
    """The time that is left, with an interval that holds in 80 % of all cases."""

    seconds: float
    low: float
    high: float
    parts: dict[str, float] = field(default_factory=dict)
    """Part (search, race, winner, audit) -> its seconds."""


@dataclass(frozen=True)
class _Work:
    """Trials or runs that are left."""

    running: list[float]
    """What is left of each running one."""
    new: int
    """How many have not started."""
    cost: float
    """Of a new one."""
    deviation: float = 0.0
    """Standard deviation of the cost between them."""

    def wall(self, workers: int) -> float:
        """Returns the seconds until the last one ends."""
        if not self.running and not self.new:
            return 0.0
        slots = [*self.running, *[0.0] * max(0, workers - len(self.running))]
        heapq.heapify(slots)
        one_by_one = min(self.new, MOST_SIMULATED)
        for _ in range(one_by_one):
            heapq.heapreplace(slots, slots[0] + self.cost)
        last = min(workers, len(self.running) + self.new)
        rest = max(slots) + (self.new - one_by_one) * self.cost / workers
        # The last ones do not end together; what is left of them cannot vary more than it is.
        return rest + _expected_largest(last) * min(self.deviation, rest)

    def variance(self, workers: int) -> float:
        """Returns the variance of `wall` between equally likely costs."""
        return self.new * (self.deviation / workers) ** 2


def _expected_largest(count: int) -> float:
    """Returns the expectation of the largest of some standard normal numbers (Blom's rule)."""
    return NORMAL.inv_cdf((count - 0.375) / (count + 0.25)) if count > 1 else 0.0


def _remaining(cost: float, deviation: float, elapsed: float) -> float:
    """Returns what is left of a normally distributed cost of which `elapsed` has passed."""
    if deviation <= 0:
        return max(0.0, cost - elapsed)
    late = min(4.0, (elapsed - cost) / deviation)
    return deviation * (NORMAL.pdf(late) / NORMAL.cdf(-late) - late)


def study_time_left(
    spec: StudySpec,
    record: StudyRecord,
    race: StudyRecord | None,
    now: float,
    workers: int | None = None,
) -> TimeLeft | None:
    """Returns the time until a study has its winner; None if too little is known.

    Args:
        spec: the study's present spec.
        record: the study's trials.
        race: the runs of its race, None before it began.
        now: seconds since the epoch.
        workers: trials that run at once; by default as many as have run at once so far.
    """
    ended = record.in_state("complete", "pruned", "failed")
    pace = measure(record.trials.values())
    if len(ended) < min(LEAST_ENDED, planned_trials(spec)) or pace is None:
        return None
    workers = workers or most_at_once(record)
    start = worker_start([*record.trials.values(), *(race.trials.values() if race else ())])
    alive = survival(spec, record, rungs(spec))
    search = _search(spec, record, pace, alive, now)
    race_wall = _race(spec, record, race, pace, alive, start, workers, now)
    parts = {
        "search": search.wall(workers),
        "race": race_wall,
        "winner": 0.0 if record.winner else _winner(pace, start, workers),
    }
    if spec.scheduler.audit:
        rests = steps_to_come(record, spec, 1 - alive.complete)
        parts["audit"] = _audit(rests, pace, start, workers)
    share = alive.fraction()
    stops = alive.deviation / share / alive.trials**0.5 if share else 0.0
    own, late = pace.spread / pace.trials**0.5, sum(parts.values()) - parts["search"]
    of_search = parts["search"] * math.hypot(own, stops, DRIFT)
    of_rest = late * math.hypot(own, pace.spread / 2, DRIFT)
    one_run = pace.spread * pace.train_step * _mean_steps(ended) if parts["race"] else 0.0
    of_start = DRIFT * start * sum(part > 0 for part in (parts["race"], parts["winner"]))
    independent = math.hypot(math.sqrt(search.variance(workers)), one_run, of_start)
    return _interval(parts, math.hypot(independent, of_search + of_rest))


def runs_time_left(
    planned: int, record: StudyRecord, now: float, workers: int | None = None
) -> TimeLeft | None:
    """Returns the time until all `planned` runs of a benchmark or a comparison have ended.

    Baselines are left out of the mean cost: they come first and take seconds.
    """
    trials = [t for t in record.trials.values() if t.seeds]
    ended = [trial for trial in trials if trial.ended is not None]
    new = planned - len(record.trials)
    if len(ended) < min(LEAST_ENDED, len(trials) + new) or not ended:
        return None
    costs = [busy_seconds(trial) for trial in ended]
    mean = statistics.fmean(costs)
    spread = statistics.stdev(costs) if len(costs) > 1 else mean / 2
    running = [_remaining(mean, spread, _elapsed(t, now)) for t in record.in_state("running")]
    workers = workers or most_at_once(record)
    work = _Work(running, max(0, new), mean, spread)
    wall = work.wall(workers)
    share = math.hypot(spread / mean / len(costs) ** 0.5, DRIFT) if mean else DRIFT
    return _interval({"runs": wall}, math.hypot(math.sqrt(work.variance(workers)), wall * share))


def most_at_once(record: StudyRecord) -> int:
    """Returns the largest number of trials that have run at once; at least 1."""
    changes = [(trial.created, 1) for trial in record.trials.values()]
    changes += [(t.ended, -1) for t in record.trials.values() if t.ended is not None]
    return max([1, *accumulate(change for _, change in sorted(changes))])


def _interval(parts: dict[str, float], deviation: float) -> TimeLeft:
    seconds = sum(parts.values())
    half = QUANTILE * deviation
    return TimeLeft(seconds, max(0.0, seconds - half), seconds + half, parts)


def _search(
    spec: StudySpec, record: StudyRecord, pace: Pace, alive: Survival, now: float
) -> _Work:
    """Returns the rest of the search."""
    whole = pace.step * _mean_steps(list(record.trials.values()))
    running: list[float] = []
    for trial in record.in_state("running"):
        left = alive.fraction(len(trial.reports)) * trial.total_steps * pace.step
        running.append(max(0.0, left - _since_report(trial, now)))
    new = planned_trials(spec) - len(record.trials)
    return _Work(running, max(0, new), whole * alive.fraction(), whole * alive.deviation)


def _race(
    spec: StudySpec,
    record: StudyRecord,
    race: StudyRecord | None,
    pace: Pace,
    alive: Survival,
    start: float,
    workers: int,
    now: float,
) -> float:
    """Returns the seconds of the rest of the race, 0 without one."""
    if record.winner is not None:
        return 0.0
    to_come = planned_trials(spec) - len(record.in_state("complete", "pruned", "failed"))
    now_eligible = candidates(record, spec)
    count = len(now_eligible)
    if to_come > 0 and planned_candidates(spec) > 1:
        complete = len(record.eligible(spec.goals.constraints)) + to_come * alive.complete
        count = min(planned_candidates(spec), round(complete))
    if count < 2:
        return 0.0
    parts = [size * more for size, more in rounds(count)]
    runs = list(race.trials.values()) if race else []
    measured = measure(run for run in runs if run.state == "complete")
    steps = _mean_steps(now_eligible or list(record.trials.values()))
    evaluations = RACE_REPORTS * pace.evaluation
    cost = pace.train_step * steps + evaluations
    if measured is not None:
        cost = statistics.fmean(busy_seconds(run) for run in runs if run.state == "complete")
    costs = [*[cost] * len(parts), cost + evaluations]
    parts.append(spec.finalists.confirm)
    return _rounds(parts, costs, pace.spread, start, runs, workers, now)


def _rounds(
    parts: Sequence[int],
    costs: Sequence[float],
    spread: float,
    start: float,
    runs: Sequence[TrialRecord],
    workers: int,
    now: float,
) -> float:
    """Returns the seconds of what is left of rounds, the last of which has new workers.

    `parts` are the runs of each round, `costs` those of one run in it.
    """
    ended = sum(run.ended is not None for run in runs)
    seconds = 0.0 if runs else start
    running = [run for run in runs if run.ended is None]
    for place, (size, cost) in enumerate(zip(parts, costs, strict=True)):
        done = min(size, ended)
        ended -= done
        if done == size:
            continue
        here, running = running[: size - done], running[size - done :]
        deviation = spread * cost
        waits = start if place in (0, len(parts) - 1) and not done else 0.0
        left = [_run_left(run, cost, deviation, waits, now) for run in here]
        seconds += _Work(left, size - done - len(here), cost, deviation).wall(workers)
        if place == len(parts) - 1 and not (done or here):
            seconds += start
    return seconds


def _run_left(run: TrialRecord, cost: float, deviation: float, start: float, now: float) -> float:
    """Returns what is left of a running run, whose worker is new if `start` is not 0."""
    if run.reports or not start:
        return _remaining(cost, deviation, _elapsed(run, now))
    waited = now - run.created
    return max(0.0, start - waited) + _remaining(cost, deviation, max(0.0, waited - start))


def _winner(pace: Pace, start: float, workers: int) -> float:
    """Returns the seconds of the winner's evaluation, by one new worker."""
    alone = start * (ALONE if workers > 1 else 1.0)
    return alone + FINAL_EVALUATIONS * pace.evaluation


def _audit(steps: Sequence[float], pace: Pace, start: float, workers: int) -> float:
    """Returns the seconds that stopped trials still train after their stop, by new workers."""
    if not steps:
        return 0.0
    cost = pace.step * statistics.fmean(steps)
    return start + _Work([], len(steps), cost, pace.spread * cost).wall(workers)


def _mean_steps(trials: Sequence[TrialRecord]) -> float:
    return statistics.fmean(trial.total_steps for trial in trials) if trials else 0.0


def _elapsed(trial: TrialRecord, now: float) -> float:
    """Returns the seconds that a running trial of a worker that has started has trained."""
    return busy_seconds(trial) + _since_report(trial, now)


def _since_report(trial: TrialRecord, now: float) -> float:
    """Returns the seconds since a running trial's last report, or since it was created."""
    return max(0.0, now - (trial.reports[-1].time if trial.reports else trial.created))
