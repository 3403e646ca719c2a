"""Decisions of the scheduler, Ray's ASHA and Optuna's successive halving on the same results.

Ray's rule and ours are always the same. Optuna's agrees in part: at the n-th arrival of a rung Ray
compares with the interpolated (1 - 1/rf) quantile of the n - 1 earlier values, and Optuna asks
whether at most max(1, n // rf) - 1 values, of all that have arrived, are better. With c earlier
values strictly better than the new one, and d = (n - 2) / rf the place of Ray's quantile among the
earlier ones, counted down from the best as 0:

    Ray     continues if c <= floor(d), stops if c > ceil(d), interpolates between
    Optuna  continues if c <= max(1, n // rf) - 1, which is at most floor(d) for n >= 2

So Ray continues every trial that Optuna continues, and the two can differ only in the narrow
band max(1, n // rf) <= c <= ceil(d). It is empty for n = 2 with any rf, and at every second
arrival (n even) for rf = 2; the best value so far (c = 0) and one that is worse than all
(c = n - 1) lie outside it for any n and rf.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from study.engine.scheduling.asha import AshaScheduler
from study.spec import StudySpec
from study.spec.rungs import first_rung, rungs
from study.storage.ledger import StudyLedger
from tests.study.ledgers import OpenLedger, create

CASES = [
    (mode, factor, grace, reports)
    for mode in ("max", "min")
    for factor, grace, reports in [(2, 0.125, 8), (2, 0.3, 10), (3, 0.1, 10), (4, 0.125, 16)]
]
IN_EVERY_RUN = (CASES[1], CASES[3], CASES[4], CASES[6])
TRIALS = 100
"""Trials of a stream; up to six run at once, and any of them may be the next to report."""


@dataclass(frozen=True)
class Arrival:
    """A report of a trial, with everything that determines the decision."""

    trial: int
    report: int
    value: float
    better: int
    """Earlier values at this rung that are strictly better; 0 if the report is at no rung."""
    place: int
    """How many values have arrived at this rung, with this one; 0 at no rung."""

    def by_rule(self, factor: float) -> bool | None:
        """Whether Ray and Optuna must stop the trial; None if they may differ."""
        if self.better <= max(1, self.place // factor) - 1:
            return False
        return True if self.better > math.ceil((self.place - 2) / factor) else None


@dataclass(frozen=True)
class Decided:
    """Whether each of the three schedulers stops the trial at an arrival."""

    arrival: Arrival
    ours: bool
    ray: bool
    optuna: bool


class Stream:
    """Random trials, interleaved, with many ties, continued as our scheduler decides."""

    def __init__(self, ledger: StudyLedger) -> None:
        self.spec: StudySpec = ledger.spec
        self.ledger = ledger
        self.sign = 1 if ledger.maximize else -1
        self.draw = np.random.default_rng(self.spec.training.reports)
        self.arrived: dict[int, list[float]] = {rung: [] for rung in rungs(self.spec)}

    def __iter__(self) -> Iterator[Decided]:
        ours, rays, study = self._three()
        running: dict[int, int] = {}
        numbers, optunas = iter(range(TRIALS)), {}
        while True:
            while len(running) < 6 and (number := next(numbers, None)) is not None:
                running[number] = 0
                create(self.ledger, number, reports=self.spec.training.reports)
                for scheduler in (ours, rays):
                    scheduler.on_trial_add(None, _ray_trial(number))
                optunas[number] = study.ask()
            if not running:
                return
            number = int(self.draw.choice(list(running)))
            running[number] += 1
            arrival = self._arrive(number, running[number])
            result = self._result(arrival)
            ray_trial = _ray_trial(number)
            is_stopped = ours.on_trial_result(None, ray_trial, result) == TrialScheduler.STOP
            yield Decided(
                arrival,
                is_stopped,
                rays.on_trial_result(None, ray_trial, result) == TrialScheduler.STOP,
                self._ask_optuna(optunas[number], arrival),
            )
            if is_stopped:
                del running[number]

    def _three(self) -> tuple[AshaScheduler, AsyncHyperBandScheduler, optuna.Study]:
        spec, mode = self.spec, "max" if self.sign > 0 else "min"
        factor = spec.scheduler.reduction_factor
        rays = AsyncHyperBandScheduler(
            time_attr="report",
            metric=spec.objective,
            mode=mode,
            max_t=spec.training.reports,
            grace_period=first_rung(spec),
            reduction_factor=factor,
        )
        pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=first_rung(spec), reduction_factor=int(factor), min_early_stopping_rate=0
        )
        study = optuna.create_study(direction=f"{mode}imize", pruner=pruner)
        return AshaScheduler(self.ledger), rays, study

    def _arrive(self, trial: int, report: int) -> Arrival:
        # Two decimals, drifting upwards: many ties within a rung.
        value = round(float(self.draw.normal(0.5 + 0.02 * report, 0.1)), 2)
        earlier = self.arrived.get(report)
        if earlier is None:
            return Arrival(trial, report, value, better=0, place=0)
        better = sum(self.sign * other > self.sign * value for other in earlier)
        earlier.append(value)
        return Arrival(trial, report, value, better, place=len(earlier))

    def _result(self, arrival: Arrival) -> dict[str, Any]:
        metric = self.spec.objective
        return {
            "report": arrival.report,
            "step": 10 * arrival.report,
            f"metrics/{metric}": arrival.value,
            "metrics/train_loss": 0.5,
            metric: arrival.value,
        }

    def _ask_optuna(self, trial: optuna.Trial, arrival: Arrival) -> bool:
        if arrival.report >= self.spec.training.reports:
            return True  # Optuna has no maximum resource.
        trial.report(arrival.value, arrival.report)
        return trial.should_prune()


def _ray_trial(number: int) -> Any:
    return SimpleNamespace(config={"trial": number}, trial_id=str(number))


@pytest.fixture
def streams(open_ledger: OpenLedger, tmp_path: Path) -> Any:
    """Returns a function of a case: its stream, each in its own study folder."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = count()

    def open_(mode: str, factor: float, grace: float, reports: int) -> Stream:
        folder = tmp_path / "runs" / "a study"
        if folder.exists():
            folder.rename(tmp_path / f"done-{next(opened)}")
        ledger = open_ledger(
            f"search.metric={'mcc' if mode == 'max' else 'loss'}",
            f"training.reports={reports}",
            f"scheduler.reduction_factor={factor}",
            f"scheduler.grace_fraction={grace}",
        )
        return Stream(ledger)

    return open_


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in IN_EVERY_RUN else pytest.mark.slow) for case in CASES],
    ids=lambda case: "-".join(map(str, case)),
)
def test_decisions_equal_those_of_ray_and_optuna_where_the_rules_coincide(
    streams: Any, case: Any
) -> None:
    seen: Counter[bool | None] = Counter()
    for decided in streams(*case):
        arrival = decided.arrival
        assert decided.ours == decided.ray, decided
        # Where they may differ, Optuna is stricter.
        assert decided.optuna or not decided.ray, decided
        if arrival.place:
            expected = arrival.by_rule(case[1])
            seen[expected] += 1
            assert expected in (None, decided.ray), decided
            assert expected in (None, decided.optuna), decided
        else:
            assert decided.ray == decided.optuna == (arrival.report == case[3]), decided
    assert min(seen[True], seen[False]) >= 20, seen
    assert seen[None] < 0.15 * seen.total(), seen


def test_optuna_is_stricter_for_at_most_two_ranks() -> None:
    for factor in (2, 3, 4):
        for place in range(1, 60):
            open_ = [
                better
                for better in range(place)
                if Arrival(0, 1, 0.0, better, place).by_rule(factor) is None
            ]
            assert len(open_) <= 2
            assert not {0, place - 1} & set(open_) or place == 1
            if place == 2 or (factor == 2 and place % 2 == 0):
                assert not open_, (factor, place)


def test_ray_interpolates_quantiles_and_optuna_counts_trials(streams: Any) -> None:
    stream = streams("max", 2, 0.125, 8)
    ours, rays, study = stream._three()
    message = []
    for number, value in enumerate([0.9, 0.1, 0.6]):
        create(stream.ledger, number, reports=8)
        arrival, trial = Arrival(number, 1, value, 0, 0), study.ask()
        stopped = []
        for scheduler in (ours, rays):
            scheduler.on_trial_add(None, _ray_trial(number))
            action = scheduler.on_trial_result(None, _ray_trial(number), stream._result(arrival))
            stopped.append(action == TrialScheduler.STOP)
        message.append([*stopped, stream._ask_optuna(trial, arrival)])
    # 0.6 lies above the median of 0.9 and 0.1, and is not the best of three.
    assert message == [[False] * 3, [True] * 3, [False, False, True]]


@pytest.mark.parametrize("factor", [1.5, 2.5, 3.7])
def test_decisions_equal_those_of_ray_for_fractional_reduction_factors(
    streams: Any, factor: float
) -> None:
    # Their rungs lie between reports.
    metric, stream = "dev_mcc", streams("max", factor, 0.1, 12)
    rays = AsyncHyperBandScheduler(
        time_attr="report", metric=metric, mode="max", max_t=12,
        grace_period=first_rung(stream.spec), reduction_factor=factor,
    )  # fmt: skip
    ours, draw = AshaScheduler(stream.ledger), np.random.default_rng(5)
    stopped = 0
    for number in range(40):
        create(stream.ledger, number, reports=12)
        for scheduler in (ours, rays):
            scheduler.on_trial_add(None, _ray_trial(number))
        for report in range(1, 13):
            value = round(float(draw.normal(0.5, 0.1)), 2)
            result = stream._result(Arrival(number, report, value, 0, 0))
            action = ours.on_trial_result(None, _ray_trial(number), result)
            assert action == rays.on_trial_result(None, _ray_trial(number), result)
            if action == TrialScheduler.STOP:
                stopped += report < 12
                break
    assert stopped >= 5
