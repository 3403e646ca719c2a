"""Class probabilities of sequences by a trained model, from files that need no study folder."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from study.models import BackboneInfo
from study.spec import StudySpec, load_spec
from study.training.batches import collate, evaluation_batches
from study.training.encoding import encode_split
from study.training.files.trained import load_trained
from study.training.memory import keep_freed_memory
from study.training.methods import PreparedModel
from study.training.precision import autocast, compute_dtype
from study.training.prediction.inputs import Encoded, Inputs

SPEC, FACTS = "best.yaml", "model.json"
"""Files beside the weights: the spec of one trial; names of classes and hash of the backbone."""


class Predictor:
    """A trained model with its tokenizer, on the CPU or the first GPU."""

    def __init__(
        self,
        spec: StudySpec,
        prepared: PreparedModel,
        info: BackboneInfo,
        classes: Sequence[str] = (),
        inputs: Inputs | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._inputs = inputs or Inputs(spec.task, info)
        self._causal = info.causal
        self._batch_size = batch_size or spec.training.eval_batch_size
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cpu":
            keep_freed_memory()
        self._dtype = compute_dtype(spec)
        model: Any = prepared.model
        self.labels: int = model.config.num_labels
        """The number of classes."""
        self.classes = list(classes) or [f"class_{k}" for k in range(self.labels)]
        """The names of the columns of `probabilities`."""
        self._model = model.to(self.device).eval()

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Returns the model in a folder with `SPEC`, `FACTS` and the files of `save_artifacts`.

        Raises:
            InputError: the backbone cannot be loaded, or files do not belong together.
        """
        spec = load_spec(str(folder / SPEC), stored=True)
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        prepared, info = load_trained(spec, folder, facts["backbone"])
        return cls(spec, prepared, info, facts["classes"])

    def probabilities(self, sequences: Sequence[str]) -> Float[np.ndarray, "rows classes"]:
        """Returns the class probabilities of DNA sequences, in their order; see `logits`."""
        logits = torch.from_numpy(self.logits([one.strip().upper() for one in sequences]))
        return logits.double().softmax(dim=-1).numpy()

    @torch.no_grad()
    def logits(self, sequences: Sequence[str]) -> Float[np.ndarray, "rows classes"]:
        """Returns the float32 logits of DNA sequences in upper case, in their order.

        Where the task averages both strands, as in the study, or a sequence is read in windows,
        they are the logarithms of the mean class probabilities.

        Raises:
            InputError: as `Inputs.encode`.
        """
        strands = [self._of_strand(one) for one in self._inputs.encode(sequences)]
        if len(strands) == 1:
            return strands[0].numpy()
        both = torch.stack(strands).log_softmax(dim=-1)
        return (torch.logsumexp(both, dim=0) - math.log(2)).numpy()

    def _of_strand(self, encoded: Encoded) -> torch.Tensor:
        split = encode_split(encoded.windows, [0] * len(encoded.windows))
        logits = torch.zeros(len(split), self.labels)
        for rows in evaluation_batches(split, self._batch_size):
            batch = collate(split, rows, self._inputs.pad_id, self.device, causal=self._causal)
            del batch["labels"]
            options = {"use_cache": False} if self._causal else {}
            with autocast(self.device, self._dtype):
                logits[rows] = self._model(**batch, **options).logits.float().cpu()
        return _mean_of_windows(logits, torch.from_numpy(encoded.owner))


def _mean_of_windows(logits: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    """Returns the logits of each sequence: its own if it has one window."""
    sequences = int(owner[-1]) + 1 if len(owner) else 0
    if sequences == len(owner):
        return logits
    sums = torch.zeros(sequences, logits.shape[1], dtype=torch.float64)
    sums.index_add_(0, owner, logits.double().softmax(dim=-1))
    means = (sums / owner.bincount(minlength=sequences)[:, None]).log().float()
    single = owner.bincount(minlength=sequences)[owner] == 1
    means[owner[single]] = logits[single]
    return means
