"""The winner of a stored study: its spec, its weights, the names of its classes. Needs no Ray."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from study.errors import InputError, instead_of
from study.models import BackboneInfo, inspect_backbone
from study.spec import SeedsSpec, StudySpec, load_spec
from study.storage.commands import resume
from study.storage.folder import StudyFolder
from study.storage.runs import latest_trials
from study.storage.stored import StoredStudy
from study.training.files.trained import load_trained, trained_labels
from study.training.methods import PreparedModel


@dataclass(frozen=True)
class StoredWinner:
    """A winner whose files are there; its weights are loaded when they are needed."""

    stored: StoredStudy
    spec: StudySpec
    """Of one trial, as in best.yaml; with the commit of a backbone of the hub."""
    classes: tuple[str, ...]
    """Names of the classes; empty if they are numbers."""

    @property
    def folder(self) -> StudyFolder:
        """The study's."""
        return self.stored.folder

    @classmethod
    def read(cls, study: Path) -> "StoredWinner":
        """Returns the winner of the study in a folder.

        Raises:
            InputError: the study has no winner yet, or a newer version wrote its journal.
        """
        folder = StudyFolder(study)
        head = folder.best / "head.safetensors"
        if not folder.best_spec.is_file() or not head.is_file():
            raise InputError(
                f"{study}: must be the folder of a finished study, with best.yaml and best/, but "
                f"got {instead_of(folder.best_spec, head)}; give a study that has ended, or "
                "finish it with study.run --resume"
            )
        stored = StoredStudy.read(folder)
        spec = load_spec(str(folder.best_spec), stored=True)
        opened = stored.opened
        if opened is not None and opened.commit and spec.backbone.revision is None:
            backbone = spec.backbone.model_copy(update={"revision": opened.commit})
            spec = spec.model_copy(update={"backbone": backbone})
        classes = ((opened.quality if opened else None) or {}).get("classes") or ()
        return cls(stored, spec, tuple(classes))

    def confirming(self) -> dict[Path, StudySpec]:
        """Returns the weights and specs of the runs that confirm the winner, by their seeds.

        Raises:
            InputError: there was no race, or the weights of some of its runs are not there.
        """
        folder, winner = self.folder, self.stored.study_record().winner
        if winner is None or not winner.race:
            raise InputError(
                f"{folder.path}: must have a race of finalists, which trains the winner with "
                "several seeds, but got a study without one; predict with one seed"
            )
        race = StudyFolder(folder.finalists)
        runs = latest_trials(StoredStudy.read(race).record(self.spec.objective)).values()
        of_winner = f"trial-{winner.trial}"
        found = {
            race.run_weights(run.number): self._with_seeds(run.seeds)
            for run in runs
            if run.labels["configuration"] == of_winner
            and run.seeds in winner.race.seeds
            and run.state == "complete"
        }
        missing = [str(path) for path in found if not (path / "head.safetensors").is_file()]
        if missing or not found:
            raise InputError(
                f"{race.path}: must have the weights of the {len(found)} runs that confirm the "
                f"winner, but got {len(found) - len(missing)}, as in folders of earlier "
                f"versions; remove {race.path} and {folder.scores}, and run the race again with "
                f"`{resume(folder.path)}`"
            )
        return found

    def _with_seeds(self, seeds: Mapping[str, int]) -> StudySpec:
        return self.spec.model_copy(update={"seeds": SeedsSpec(**seeds)})

    def runs(self, confirming: bool) -> dict[Path, StudySpec]:
        """Returns the weights and spec of the run in the search, or of those that confirm it.

        Raises:
            InputError: as `confirming`.
        """
        return self.confirming() if confirming else {self.folder.best: self.spec}

    @cached_property
    def info(self) -> BackboneInfo:
        """The backbone, located but not loaded.

        Raises:
            InputError: it is not there.
        """
        named = self.spec.backbone
        with_weights = named.random_seed is None
        return inspect_backbone(named.name, named.revision, with_weights=with_weights)

    @cached_property
    def labels(self) -> int:
        """The number of classes, which the head knows.

        Raises:
            InputError: best/ is damaged.
        """
        return trained_labels(self.spec, self.folder.best, self.info.family)

    def load(
        self, weights: Path | None = None, spec: StudySpec | None = None
    ) -> tuple[PreparedModel, BackboneInfo]:
        """Returns a trained model on the CPU, with the names of its classes in its config.

        Args:
            weights: the folder of its files; None: best/.
            spec: of that run.

        Raises:
            InputError: as `load_trained`.
        """
        opened = self.stored.opened
        backbone = (opened and opened.backbone) or None
        prepared, info = load_trained(spec or self.spec, weights or self.folder.best, backbone)
        config: Any = prepared.model.config
        if len(self.classes) == config.num_labels:
            config.id2label = dict(enumerate(self.classes))
            config.label2id = {name: label for label, name in enumerate(self.classes)}
        return prepared, info
