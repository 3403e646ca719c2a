"""The winner of a stored study: its spec, its weights, the names of its classes. Needs no Ray."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import InputError, instead_of
from study.models import BackboneInfo
from study.spec import StudySpec, load_spec
from study.storage.folder import StudyFolder
from study.storage.stored import StoredStudy
from study.training.methods import PreparedModel
from study.training.trained import load_trained


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

    def load(self) -> tuple[PreparedModel, BackboneInfo]:
        """Returns the trained model on the CPU, with the names of its classes in its config.

        Raises:
            InputError: as `load_trained`.
        """
        opened = self.stored.opened
        weights = (opened and opened.backbone) or None
        prepared, info = load_trained(self.spec, self.folder.best, weights)
        config: Any = prepared.model.config
        if len(self.classes) == config.num_labels:
            config.id2label = dict(enumerate(self.classes))
            config.label2id = {name: label for label, name in enumerate(self.classes)}
        return prepared, info
