"""Ray's Trainable of a comparison: trains its runs with one backbone and one task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from study.engine.checkpoints import DamagedError, read, set_aside, write
from study.engine.comparison.outputs import evaluate_run, keep_weights
from study.engine.comparison.shared_prefixes import SHARED, prefix_state, prefix_steps
from study.engine.reporting import metrics_of
from study.engine.worker import TrialWorker
from study.spec import read_spec
from study.training.encoding import EncodedTask
from study.training.trial import Trial


class ComparisonWorker(TrialWorker):
    """Trains the runs that Ray assigns to this process, one after another."""

    _drawn: tuple[int, EncodedTask] | None = None
    """The data of the last run, and its data seed."""

    @override
    def _begin(self, config: dict[str, Any]) -> None:
        self._splits: Sequence[str] = config["splits"]
        self._keep: bool = config["keep"]
        key = config["prefix"]
        self._prefix: Path | None = None if key is None else self.folder.prefix(key)
        self._shared: dict[str, float] = {}
        self._results: list[dict[str, Any]] = []
        self._part = (0.0, 0)
        super()._begin(config)

    @override
    def _prepare(self, config: dict[str, Any]) -> Trial:
        spec = read_spec(config["spec"], f"the spec of run {self.number}")
        return Trial(spec, self.backbone, self._data(spec.seeds.data), self.device)

    def _data(self, seed: int) -> EncodedTask:
        """Returns the data of a run; splits that its seed draws are kept for the next run."""
        if self._drawn is None or self._drawn[0] != seed:
            self._drawn = (seed, self.data.at(seed))
        return self._drawn[1]

    @override
    def _scores(self, trial: Trial) -> dict[str, float]:
        """Returns scores at the last report only, as no run is stopped early."""
        if self.report < len(trial.plan.report_steps):
            return {}
        if self._keep:
            keep_weights(self.folder, self.number, trial)
        return evaluate_run(self.folder, self.number, trial, self._splits)

    @override
    def _facts(self, trial: Trial) -> dict[str, float]:
        return super()._facts(trial) | self._shared

    @override
    def _save(self, trial: Trial, result: dict[str, Any]) -> None:
        self._results.append(result)
        super()._save(trial, result)

    # The prefix that runs share

    @override
    def _train_until(self, trial: Trial, step: int) -> float:
        """Trains up to a report; in two parts if the prefix ends before it.

        Every run does so, whether it shares its prefix or not, so that losses are summed in the
        same order.
        """
        before, end = trial.step, prefix_steps(trial.plan)
        if before < end < step:
            self._part = (trial.train_until(end), end - before)
        if trial.step == end:
            self._save_prefix(trial)
        (earlier, steps), self._part = self._part, (0.0, 0)
        before = trial.step
        loss = trial.train_until(step)
        if not steps:
            return loss
        return (earlier * steps + loss * (trial.step - before)) / (steps + trial.step - before)

    def _save_prefix(self, trial: Trial) -> None:
        """Saves the state at the end of the prefix for the runs that share it."""
        # After an interruption not all reports of this run are known in this process.
        complete = len(self._results) == self.report - 1
        if self._prefix is not None and complete and not self._prefix.exists():
            state = {
                "trial": prefix_state(trial.state_dict()),
                "part": self._part,
                "results": self._results,
            }
            self._prefix.parent.mkdir(exist_ok=True)
            self._warn(write(self._prefix, state))

    @override
    def _restore(self) -> None:
        super()._restore()
        if self._repeated:
            self._results = list(self._repeated)
            metrics = metrics_of(self._repeated[0])
            self._shared = {name: metrics[name] for name in SHARED if name in metrics}
        elif self.trial is not None and self._prefix is not None:
            self._continue_from(self.trial, self._prefix)

    def _continue_from(self, trial: Trial, prefix: Path) -> None:
        """Continues from the prefix that another run has saved, if it exists."""
        try:
            saved = read(prefix, ("trial", "part", "results"))
        except FileNotFoundError:
            return
        except DamagedError as error:
            self._warn(set_aside(prefix, error))
            return
        trial.load_state_dict(saved["trial"])
        self._part = tuple(saved["part"])
        self._shared = dict(zip(SHARED, (trial.step, trial.seconds), strict=True))
        shared = {f"metrics/{name}": value for name, value in self._shared.items()}
        self._repeated = [result | shared for result in saved["results"]]
        self._results = list(self._repeated)
        self.report = len(self._repeated)
