"""Optuna's ask and tell behind Ray's Searcher.

Optuna is told the truth: every reported value with its step, PRUNED for a stopped trial, FAIL for
a diverged or crashed one, and what breaks a constraint. The n-th suggestion is a function of
(study seed, n, history): each has a sampler of its own (samplers.py), and whatever state a sampler
keeps in the study (CMA-ES, NSGA-II, QMC, grid) is journalled with the trial.
"""

import time
from collections.abc import Callable
from typing import Any

import optuna
from ray.tune.search import Searcher

from study.engine.ledger import StudyLedger
from study.engine.optuna_study import Mirror, rebuild_study, tell
from study.engine.record import TrialRecord
from study.engine.samplers import ReseededSampler
from study.spec import StudySpec, resolve
from study.spec.space import distributions, trials_wanted

# A study in which nothing has worked this often is not searching but failing.
GIVE_UP_AFTER = 3

Planner = Callable[[StudySpec], tuple[int, int]]
"""Resolved spec -> (optimizer steps, reports) of its trial."""


class OptunaSearcher(Searcher):  # type: ignore[misc]
    """Suggests the trials of a study: first those left unfinished, then new ones."""

    def __init__(self, ledger: StudyLedger, planner: Planner) -> None:
        super().__init__(metric=ledger.spec.objective, mode="max" if ledger.maximize else "min")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.ledger = ledger
        self.planner = planner
        self.gave_up = ""
        self._numbers: dict[str, int] = {}
        self._crashed = 0
        self._unfinished = [trial.number for trial in ledger.record.in_state("running")]
        self._open(ledger)

    def _open(self, ledger: StudyLedger) -> None:
        self._space = distributions(ledger.spec)
        self._study = rebuild_study(ledger.record, self._space, ledger.goals)
        self._study.sampler = ReseededSampler(ledger.spec)
        self._mirror = Mirror(ledger, self._space)

    # Ray's interface

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Returns the configuration of the next trial, or FINISHED."""
        if self._unfinished:
            number = self._unfinished.pop(0)
        elif len(self.ledger.record.trials) >= trials_wanted(self.ledger.spec) or self._hopeless():
            return str(Searcher.FINISHED)
        else:
            number = self._ask()
        self._numbers[trial_id] = number
        params = self.ledger.record.trials[number].params
        seeds = self.ledger.record.trials[number].seeds
        return {"trial": number, "params": params, "seeds": seeds, "assigned": time.time()}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing to do: reports reach Optuna when the trial ends, through the record."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tells Optuna how the trial ended; the scheduler has journalled the decision."""
        trial = self.ledger.record.trials[self._numbers[trial_id]]
        if error:
            self._crashed += 1
            self.ledger.end(trial, "failed", "crashed")
        if trial.state == "running":
            return  # Interrupted: it stays unfinished and is offered again on resume.
        self._tell(trial)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the journal is the state."""

    def __getstate__(self) -> dict[str, Any]:
        return {"ledger": self.ledger, "planner": self.planner}

    # Ask and tell

    def _ask(self) -> int:
        spec = self.ledger.spec
        number = len(self.ledger.record.trials)
        asked = self._study.ask(fixed_distributions=self._space)
        if asked.number != number:
            raise RuntimeError(f"Optuna's trial {asked.number} must be the study's trial {number}")
        resolved = resolve(spec, asked.params)
        steps, reports = self.planner(resolved)
        settings = searched_settings(spec, resolved)
        storage = self._study._storage
        self.ledger.note(
            "created",
            trial=number,
            params=asked.params,
            settings=settings,
            seeds=self._seeds(settings),
            total_steps=steps,
            reports=reports,
            optuna={
                "trial": storage.get_trial_system_attrs(asked._trial_id),
                "study": storage.get_study_system_attrs(self._study._study_id),
            },
        )
        return number

    def _seeds(self, settings: dict[str, Any]) -> dict[str, int]:
        """The study's seeds; the k-th replicate of settings that were tried has them plus k.

        With the same seeds it would be the same trial, and say nothing new.
        """
        trials = self.ledger.record.trials.values()
        replicate = sum(trial.settings == settings for trial in trials)
        seeds = self.ledger.spec.seeds.model_dump()
        return {stream: (seed + replicate) % 2**32 for stream, seed in seeds.items()}

    def _tell(self, trial: TrialRecord) -> None:
        asked = optuna.trial.Trial(self._study, self._study.trials[trial.number]._trial_id)
        tell(self._study, asked, trial, self.ledger.goals)
        self._mirror.add(trial)

    def _hopeless(self) -> bool:
        """True once this driver has seen nothing but crashes: a bug, not a bad configuration."""
        reported = any(trial.reports for trial in self.ledger.record.trials.values())
        if self._crashed < GIVE_UP_AFTER or reported:
            return False
        self.gave_up = f"the first {self._crashed} trials all crashed before their first report"
        return True


def searched_settings(spec: StudySpec, resolved: StudySpec) -> dict[str, Any]:
    """Returns the resolved value of every searched leaf, by its name."""
    leaves = resolved.adapter.model_dump() | resolved.training.model_dump()
    return {name: leaves[name] for name in spec.domains}
