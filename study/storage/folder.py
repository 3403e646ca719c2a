"""The paths of the files in a study folder."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyFolder:
    """`<storage>/<name>/` and the files in it."""

    path: Path

    @property
    def spec(self) -> Path:
        """The resolved spec, reloadable."""
        return self.path / "spec.yaml"

    @property
    def journal(self) -> Path:
        """The events; see `study.storage.journal`."""
        return self.path / "events.jsonl"

    @property
    def trials(self) -> Path:
        """One row per trial."""
        return self.path / "trials.csv"

    @property
    def splits(self) -> Path:
        """The split of each row of the data, if `task.split` has drawn dev or test."""
        return self.path / "splits.csv.gz"

    @property
    def pareto(self) -> Path:
        """The trials on the Pareto front, if there are several objectives."""
        return self.path / "pareto.csv"

    @property
    def results(self) -> Path:
        """Of a benchmark or a comparison: one row per run."""
        return self.path / "results.csv"

    @property
    def tables(self) -> Path:
        """Of a benchmark: tables and figures of the results."""
        return self.path / "tables"

    @property
    def finalists(self) -> Path:
        """The race of the finalists, a comparison folder inside the study's."""
        return self.path / "finalists"

    @property
    def audit(self) -> Path:
        """The trials that run on although they were stopped early: journal and checkpoints."""
        return self.path / "audit"

    @property
    def best_spec(self) -> Path:
        """The winner as a space, which study.run reads."""
        return self.path / "best.yaml"

    @property
    def best(self) -> Path:
        """The winner's weights and budget trace."""
        return self.path / "best"

    @property
    def scores(self) -> Path:
        """The winner's scores; the last file that is written in `best`."""
        return self.best / "scores.json"

    @property
    def predictions(self) -> Path:
        """The winner's logits on dev and test; absent in folders of older versions."""
        return self.best / "predictions.npz"

    @property
    def failures(self) -> Path:
        """One traceback a crashed trial."""
        return self.path / "failures"

    @property
    def checkpoints(self) -> Path:
        """The last checkpoints of the trials that may still need them."""
        return self.path / "checkpoints"

    @property
    def heartbeats(self) -> Path:
        """One file per running trial, which its worker touches while it works."""
        return self.path / "heartbeats"

    @property
    def optuna(self) -> Path:
        """Optuna's journal of ended trials, for its dashboard."""
        return self.path / "optuna.journal"

    @property
    def mlflow(self) -> Path:
        """The default tracking database."""
        return self.path / "mlflow.db"

    @property
    def tensorboard(self) -> Path:
        """Files for TensorBoard; they are written if the folder exists."""
        return self.path / "tensorboard"

    @property
    def ray(self) -> Path:
        """Ray Tune's own files."""
        return self.path / "ray"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def labels(self) -> Path:
        """Of a comparison: the true classes of dev and test."""
        return self.path / "labels.npz"

    @property
    def outputs(self) -> Path:
        """The outputs of complete runs: of comparisons on dev and test, of benchmarks on test."""
        return self.path / "outputs"

    @property
    def weights(self) -> Path:
        """Of a race: a folder for each run that confirms the winner, with its trained weights."""
        return self.path / "weights"

    @property
    def prefixes(self) -> Path:
        """Of a comparison: states before the first mask event that several runs share."""
        return self.path / "prefixes"

    @property
    def lock(self) -> Path:
        """Locked by the driver while it runs."""
        return self.path / ".lock"

    def checkpoint(self, trial: int) -> Path:
        """The checkpoint file of a trial."""
        return self.checkpoints / f"trial-{trial:05d}.pt"

    def heartbeat(self, trial: int) -> Path:
        """The sign of life of a trial's worker."""
        return self.heartbeats / f"trial-{trial:05d}.json"

    def failure(self, trial: int) -> Path:
        """The traceback file of a trial."""
        return self.failures / f"trial-{trial:05d}.txt"

    def output(self, run: int) -> Path:
        """The outputs of one run."""
        return self.outputs / f"run-{run:05d}.npz"

    def run_weights(self, run: int) -> Path:
        """The trained weights of one run."""
        return self.weights / f"run-{run:05d}"

    def prefix(self, key: str) -> Path:
        """A shared state."""
        return self.prefixes / f"{key}.pt"


def is_stored_spec(path_or_name: str) -> bool:
    """Whether a path is the spec.yaml of a study that has been started, not a user's space."""
    folder = StudyFolder(Path(path_or_name).parent)
    return Path(path_or_name) == folder.spec and os.path.isfile(folder.journal)  # noqa: PTH113
