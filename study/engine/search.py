"""Optuna's ask and tell behind Ray's Searcher.

Optuna is told the truth: every reported value with its step, PRUNED for a stopped trial, FAIL for
a diverged or crashed one. The n-th suggestion is a function of (study seed, n, history): a sampler
is built for every ask, with a seed of its own, and whatever state a sampler keeps in the study
(CMA-ES, NSGA-II, QMC, grid) is journalled with the trial.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from study.engine.dispatch import Capacity, Dispatcher, unlimited
from study.engine.ledger import StudyLedger
from study.engine.record import StudyRecord, TrialRecord
from study.spec import StudySpec, resolve
from study.spec.space import distributions, grid, trials_wanted

STATES = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

Planner = Callable[[StudySpec], tuple[int, int]]
"""Resolved spec -> (optimizer steps, reports) of its trial."""


class OptunaSearcher(Dispatcher):
    """Suggests the trials of a study: first those left unfinished, then new ones."""

    ledger: StudyLedger

    def __init__(
        self, ledger: StudyLedger, planner: Planner, capacity: Capacity = unlimited
    ) -> None:
        super().__init__(ledger, "max" if ledger.maximize else "min", capacity)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.planner = planner
        self._unfinished = [trial.number for trial in ledger.record.in_state("running")]
        self._open(ledger)

    def _open(self, ledger: StudyLedger) -> None:
        self._space = distributions(ledger.spec)
        self._study = rebuild_study(ledger.record, self._space, ledger.maximize)
        self._mirror = Mirror(ledger, self._space)

    # What is handed out

    def _next(self) -> int | None:
        if self._unfinished:
            return self._unfinished.pop(0)
        if len(self.ledger.record.trials) >= trials_wanted(self.ledger.spec):
            return None
        return self._ask()

    def _config(self, trial: TrialRecord) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {"ledger": self.ledger, "planner": self.planner}

    # Ask and tell

    def _ask(self) -> int:
        spec = self.ledger.spec
        number = len(self.ledger.record.trials)
        self._study.sampler = make_sampler(spec, number)
        asked = self._study.ask(fixed_distributions=self._space)
        if asked.number != number:
            raise RuntimeError(f"Optuna's trial {asked.number} must be the study's trial {number}")
        resolved = resolve(spec, asked.params)
        steps, reports = self.planner(resolved)
        storage = self._study._storage
        self.ledger.note(
            "created",
            trial=number,
            params=asked.params,
            settings=searched_settings(spec, resolved),
            seeds=spec.seeds.model_dump(),
            total_steps=steps,
            reports=reports,
            optuna={
                "trial": storage.get_trial_system_attrs(asked._trial_id),
                "study": storage.get_study_system_attrs(self._study._study_id),
            },
        )
        return number

    def _told(self, trial: TrialRecord) -> None:
        # Telling needs no sampler; the grid sampler would try to stop a loop that is not there.
        self._study.sampler = optuna.samplers.RandomSampler(seed=0)
        known = self._study.get_trials(deepcopy=False)  # A copy of all of them takes its time.
        asked = optuna.trial.Trial(self._study, known[trial.number]._trial_id)
        for step, value in trial.values.items():
            asked.report(value, step)
        complete = trial.state == "complete"
        self._study.tell(asked, trial.value if complete else None, STATES[trial.state])
        self._mirror.add(frozen_trial(trial, self._space))


class Mirror:
    """Ended trials as an Optuna journal file, which optuna-dashboard reads while the study runs.

    Written from the record alone and rewritten at every start, so it can never hold anything
    that the study does not.
    """

    def __init__(self, ledger: StudyLedger, space: Mapping[str, BaseDistribution]) -> None:
        path = ledger.folder.optuna
        path.unlink(missing_ok=True)
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path))),
            study_name=ledger.folder.path.name,
            direction="maximize" if ledger.maximize else "minimize",
        )
        for trial in ledger.record.in_state("complete", "pruned", "failed"):
            self.add(frozen_trial(trial, space))

    def add(self, trial: FrozenTrial) -> None:
        """Appends an ended trial."""
        self._study.add_trial(trial)


def rebuild_study(
    record: StudyRecord, space: Mapping[str, BaseDistribution], maximize: bool
) -> optuna.Study:
    """Returns an in-memory study with every trial of the record, running ones included."""
    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    for trial in record.trials.values():
        study.add_trial(frozen_trial(trial, space))
        for key, value in trial.optuna.get("study", {}).items():
            study._storage.set_study_system_attr(study._study_id, key, value)
    return study


def frozen_trial(trial: TrialRecord, space: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Returns Optuna's view of a recorded trial.

    A complete trial has the value of its last report. A report that was not finite is left out
    of the intermediate values.
    """
    return optuna.trial.create_trial(
        state=STATES[trial.state],
        values=[trial.value] if trial.state == "complete" else None,
        params=trial.params,
        distributions=dict(space),
        user_attrs={"reason": trial.reason, **trial.settings},
        system_attrs=trial.optuna.get("trial", {}),
        intermediate_values=trial.values,
    )


def make_sampler(spec: StudySpec, number: int) -> optuna.samplers.BaseSampler:
    """Returns the sampler for the `number`-th ask, seeded by (study seed, number)."""
    settings = spec.search.sampler
    seed = int(np.random.SeedSequence([spec.search.seed, number]).generate_state(1)[0])
    arguments = settings.arguments
    match settings.name:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, **arguments)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, **arguments)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, **arguments)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed, **arguments)
        case "nsgaii":
            return optuna.samplers.NSGAIISampler(seed=seed, **arguments)
        case "grid":
            # The n-th point of one shuffled grid: the shuffle's seed must not change.
            return optuna.samplers.GridSampler(grid(spec), seed=spec.search.seed, **arguments)
        case "qmc":
            # Likewise the n-th point of one scrambled sequence; only the points before the first
            # result are independent draws.
            return optuna.samplers.QMCSampler(
                seed=spec.search.seed,
                independent_sampler=optuna.samplers.RandomSampler(seed=seed),
                **({"warn_independent_sampling": False} | arguments),
            )
    raise ValueError(f"sampler {settings.name!r} passed the spec but is not known here")


def searched_settings(spec: StudySpec, resolved: StudySpec) -> dict[str, Any]:
    """Returns the resolved value of every searched leaf, by its name."""
    leaves = resolved.adapter.model_dump() | resolved.training.model_dump()
    return {name: leaves[name] for name in spec.domains}
