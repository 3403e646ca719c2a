"""Ray's Trainable around the replicates of a folder: one backbone, one task, settings of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from study.engine.checkpoints import DAMAGED, read, set_aside, write
from study.engine.comparison.outputs import answer
from study.engine.comparison.shared_prefixes import SHARED, fork
from study.engine.reporting import metrics_of
from study.engine.worker import TrialWorker
from study.spec import read_spec
from study.training.trial import Trial


class ComparisonWorker(TrialWorker):
    """Trains the replicates that Ray assigns to this process, one after the other."""

    @override
    def _begin(self, config: dict[str, Any]) -> None:
        self._splits: Sequence[str] = config["splits"]
        key = config["prefix"]
        self._prefix: Path | None = None if key is None else self.folder.prefix(key)
        self._shared: dict[str, float] = {}
        self._said: list[dict[str, Any]] = []
        self._part = (0.0, 0)
        super()._begin(config)

    @override
    def _prepare(self, config: dict[str, Any]) -> Trial:
        spec = read_spec(config["spec"], f"the spec of run {self.number}")
        return Trial(spec, self.backbone, self.data, self.device)

    @override
    def _scores(self, trial: Trial) -> dict[str, float]:
        """None before the last report: nothing is stopped early, and an evaluation takes time."""
        if self.report < len(trial.plan.report_steps):
            return {}
        return answer(self.folder, self.number, trial, self._splits)

    @override
    def _facts(self, trial: Trial) -> dict[str, float]:
        return super()._facts(trial) | self._shared

    @override
    def _save(self, trial: Trial, result: dict[str, Any]) -> None:
        self._said.append(result)
        super()._save(trial, result)

    # The beginning that other runs share

    @override
    def _train_until(self, trial: Trial, step: int) -> float:
        """Trains up to a report, in two parts where the first mask event comes before it.

        Every run does so, whether it shares its beginning or not: their losses are summed alike.
        """
        before, end = trial.step, fork(trial.plan)
        if before < end < step:
            self._part = (trial.train_until(end), end - before)
        if trial.step == end:
            self._leave_prefix(trial)
        (earlier, steps), self._part = self._part, (0.0, 0)
        before = trial.step
        loss = trial.train_until(step)
        if not steps:
            return loss
        return (earlier * steps + loss * (trial.step - before)) / (steps + trial.step - before)

    def _leave_prefix(self, trial: Trial) -> None:
        """Leaves the state before the first mask event to the runs that begin like this one."""
        # After an interruption not all reports of this run are known here.
        complete = len(self._said) == self.report - 1
        if self._prefix is not None and complete and not self._prefix.exists():
            state = {"trial": trial.state_dict(), "part": self._part, "results": self._said}
            self._prefix.parent.mkdir(exist_ok=True)
            self._warn(write(self._prefix, state))

    @override
    def _restore(self) -> None:
        super()._restore()
        if self._repeated:
            self._said = list(self._repeated)
            said = metrics_of(self._repeated[0])
            self._shared = {name: said[name] for name in SHARED if name in said}
        elif self.trial is not None and self._prefix is not None:
            self._take_over(self.trial, self._prefix)

    def _take_over(self, trial: Trial, prefix: Path) -> None:
        """Goes on from a beginning that another run has left, if there is one."""
        try:
            saved = read(prefix)
        except FileNotFoundError:
            return
        except DAMAGED as error:
            self._warn(set_aside(prefix, error))
            return
        trial.load_state_dict(saved["trial"])
        self._part = tuple(saved["part"])
        self._shared = dict(zip(SHARED, (trial.step, trial.seconds), strict=True))
        shared = {f"metrics/{name}": value for name, value in self._shared.items()}
        self._repeated = [result | shared for result in saved["results"]]
        self._said = list(self._repeated)
        self.report = len(self._repeated)
