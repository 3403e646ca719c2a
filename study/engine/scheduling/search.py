"""Optuna's ask and tell behind Ray's Searcher.

Optuna gets every reported value with its step, the violations of constraints, and the state PRUNED
for a stopped trial, FAIL for a diverged or crashed one. The n-th suggestion is a function of
(study seed, n, history): every trial has its own sampler (samplers.py), and the state that a
sampler stores in Optuna's study (CMA-ES, NSGA-II, QMC, grid) is journalled with the trial. The
spec's points are suggested first. Results of an earlier study precede the first trial in Optuna's
study, so that Optuna's numbers may be offset.
"""

from collections.abc import Callable
from typing import Any

import optuna
from typing_extensions import override

from study.engine.scheduling.dispatch import Capacity, Dispatcher, unlimited
from study.engine.scheduling.optuna_study import earlier_trials, rebuild_study, tell
from study.engine.scheduling.samplers import ReseededSampler
from study.spec import StudySpec, resolve
from study.spec.space import distributions, planned_trials
from study.storage.events import TrialCreated
from study.storage.ledger import StudyLedger
from study.storage.record import TrialRecord
from study.training.plan import make_budget

TrialPlanner = Callable[[StudySpec], tuple[int, int]]
"""Resolved spec -> (optimizer steps, reports) of its trial."""


class OptunaSearcher(Dispatcher):
    """Suggests the trials of a study: unfinished ones first, then new ones."""

    ledger: StudyLedger

    def __init__(
        self, ledger: StudyLedger, planner: TrialPlanner, capacity: Capacity = unlimited
    ) -> None:
        super().__init__(ledger, "max" if ledger.maximize else "min", capacity)
        self.planner = planner
        self._unfinished = [trial.number for trial in ledger.record.in_state("running")]
        self._open(ledger)

    def _open(self, ledger: StudyLedger) -> None:
        self._space = distributions(ledger.spec)
        self._study = rebuild_study(ledger.record, self._space, ledger.goals)
        self._first = len(earlier_trials(ledger.record))
        self._study.sampler = self._sampler = ReseededSampler(ledger.spec, self._first)
        self._tried = [
            effective_settings(ledger.spec, resolve(ledger.spec, trial.params), trial.total_steps)
            for trial in ledger.record.trials.values()
        ]

    # Suggestions

    @override
    def _next(self) -> int | None:
        if self._unfinished:
            return self._unfinished.pop(0)
        if len(self.ledger.record.trials) >= planned_trials(self.ledger.spec):
            return None
        return self._ask()

    @override
    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        return {"seeds": trial.seeds}

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {"ledger": self.ledger, "planner": self.planner}

    # Ask and tell

    def _ask(self) -> int:
        spec = self.ledger.spec
        number, point = len(self.ledger.record.trials), self.ledger.record.points_tried
        if point < len(spec.points):
            self._sampler.give(number, spec.point_params[point])
        optuna_trial = self._study.ask(fixed_distributions=self._space)
        if optuna_trial.number != self._first + number:
            raise RuntimeError(
                f"Optuna's trial {optuna_trial.number} must be the study's trial {number}"
            )
        resolved = resolve(spec, optuna_trial.params)
        steps, reports = self.planner(resolved)
        effective = effective_settings(spec, resolved, steps)
        storage = self._study._storage
        self.ledger.append(
            TrialCreated(
                trial=number,
                params=optuna_trial.params,
                point=point if point < len(spec.points) else None,
                settings=searched_settings(spec, resolved),
                seeds=self._seeds(effective),
                total_steps=steps,
                reports=reports,
                optuna={
                    "trial": storage.get_trial_system_attrs(optuna_trial._trial_id),
                    "study": storage.get_study_system_attrs(self._study._study_id),
                },
            )
        )
        self._tried.append(effective)
        return number

    def _seeds(self, effective: dict[str, Any]) -> dict[str, int]:
        """Returns the study's seeds, plus k for the k-th repetition of the same settings.

        With equal seeds a repetition would give equal results.
        """
        replicate = self._tried.count(effective)
        seeds = self.ledger.spec.seeds.model_dump()
        return {stream: (seed + replicate) % 2**32 for stream, seed in seeds.items()}

    @override
    def _on_end(self, trial: TrialRecord) -> None:
        known = self._study.get_trials(deepcopy=False)  # Copying all of them is slow.
        optuna_trial = optuna.trial.Trial(self._study, known[self._first + trial.number]._trial_id)
        tell(self._study, optuna_trial, trial, self.ledger.goals)


def effective_settings(spec: StudySpec, resolved: StudySpec, total_steps: int) -> dict[str, Any]:
    """Returns the settings that decide a trial's training, with deltaT in steps."""
    budget = make_budget(resolved, total_steps, matrices=1)
    intervals = {} if budget is None else {"deltaT": budget.deltaT}
    return searched_settings(spec, resolved) | intervals


def searched_settings(spec: StudySpec, resolved: StudySpec) -> dict[str, Any]:
    """Returns the resolved value of every searched leaf, by its name."""
    values = resolved.model_dump()
    return {name: values[spec.section_of(name)][name] for name in spec.domains}
