"""The journals of studies that never ran: trials of known costs on workers of known number."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from study.spec import StudySpec
from study.spec.rungs import rungs
from study.spec.space import planned_trials
from study.storage.events import (
    Decision,
    Event,
    Report,
    StudyOpened,
    TrialCreated,
    TrialEnded,
    Verdict,
    WinnerEvaluated,
)
from study.storage.race import planned_candidates, rounds

STEPS = 40
"""Of a trial, as of the space in `tests.study.ledgers`."""


@dataclass
class MadeStudy:
    """A study whose workers start in 20 s, and whose steps take `step` seconds on average."""

    spec: StudySpec
    workers: int
    step: float
    seed: int = 0
    spread: float = 0.2
    """Standard deviation of the cost of a step between trials, as a share of it."""
    start: float = 20.0
    evaluation: float = 0.5
    events: list[Event] = field(default_factory=list)
    race: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Runs the search, the race and the evaluation of the winner."""
        self._draw = random.Random(self.seed)
        self.events.append(StudyOpened(time=0.0))
        scores: dict[int, list[float]] = {}
        now = self._on_workers(0.0, planned_trials(self.spec), self.events, scores)
        complete = [one for one in self.events if getattr(one, "state", "") == "complete"]
        count = min(planned_candidates(self.spec), len(complete))
        sizes = [size * more for size, more in rounds(count)]
        if count > 1:
            now += self.start
            first = 0
            for size in sizes:
                now = self._on_workers(now, size, self.race, None, first)
                first += size
            confirm = self.spec.finalists.confirm
            now = self._on_workers(now + self.start, confirm, self.race, None, first)
        now += self.start / (2 if self.workers > 1 else 1) + self.evaluation
        self.events.append(WinnerEvaluated(time=now, trial=0, dev={}, test={}, race=None))

    def _on_workers(
        self,
        now: float,
        count: int,
        events: list[Event],
        scores: dict[int, list[float]] | None,
        first: int = 0,
    ) -> float:
        """Adds the events of trials on all workers; returns the time of the last one's end."""
        slots = [(now, place) for place in range(self.workers)]
        made: list[Event] = []
        for number in range(first, first + count):
            begin, place = heapq.heappop(slots)
            wait = self.start if scores is not None and number < self.workers else 0.0
            of_trial = list(self._trial(number, begin, wait, scores))
            made += of_trial
            heapq.heappush(slots, (of_trial[-1].time, place))
        events += sorted(made, key=lambda event: event.time)
        return max(event.time for event in made)

    def _trial(
        self, number: int, now: float, wait: float, scores: dict[int, list[float]] | None
    ) -> Iterator[Event]:
        reports = int(self.spec.training.reports) if scores is not None else 2
        fixed = {"b0": 6, "p": 0.1, "lr": 1e-3}
        labels: dict[str, Any] = {**fixed, "bT_ratio": 0.5}
        if scores is None:
            labels = {"configuration": "trial-0", "mask": number, "init": 0, "data": 0}
        seeds = {"init": number, "data": 0, "mask": 0}
        yield TrialCreated(
            time=now,
            trial=number,
            params=labels,
            settings={**fixed, "bT": 3},
            seeds=seeds,
            total_steps=STEPS,
            reports=reports,
            optuna={},
        )
        step = max(0.1, self._draw.gauss(1.0, self.spread)) * self.step
        score, time, train = self._draw.random(), now + wait, 0.0
        for report in range(1, reports + 1):
            train += step * STEPS / reports
            time += step * STEPS / reports + self.evaluation
            metrics = {self.spec.objective: score, "train_seconds": train, "start_seconds": wait}
            yield Report(
                time=time, trial=number, report=report, step=STEPS * report // reports,
                metrics=metrics,
            )  # fmt: skip
            if scores is None:
                continue
            at_rung = scores.setdefault(report, [])
            at_rung.append(score)
            share = 1 / float(self.spec.scheduler.reduction_factor)
            best = sorted(at_rung, reverse=True)[: max(1, int(share * len(at_rung)))]
            stop = report in rungs(self.spec) and score < best[-1]
            last = "complete" if report == reports else "continue"
            verdict: Verdict = "stop" if stop else last
            yield Decision(
                time=time, trial=number, report=report, decision=verdict, reason="", cutoff=None
            )
            if stop:
                yield TrialEnded(time=time, trial=number, state="pruned", reason="")
                return
        yield TrialEnded(time=time, trial=number, state="complete", reason="")
