"""Class probabilities of sequences by a trained model, from files that need no study folder."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from study.errors import InputError
from study.models import BackboneInfo
from study.models.tokenization import load_tokenizer
from study.spec import StudySpec, load_spec
from study.tasks.split import reverse_complement
from study.training.batches import collate, evaluation_batches
from study.training.encoding import EncodedSplit, encode_split
from study.training.methods import PreparedModel
from study.training.trained import load_trained

SPEC, FACTS = "best.yaml", "model.json"
"""Files beside the weights: the spec of one trial; names of classes and hash of the backbone."""


class Predictor:
    """A trained model with its tokenizer, on the CPU or the first GPU."""

    def __init__(
        self, spec: StudySpec, prepared: PreparedModel, info: BackboneInfo, classes: Sequence[str]
    ) -> None:
        self.classes = list(classes)
        """The names of the columns of `probabilities`."""
        self._spec, self._info = spec, info
        self._tokenizer = load_tokenizer(info)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model: Any = prepared.model.to(self._device).eval()
        if not self.classes:
            config: Any = self._model.config
            self.classes = [f"class_{k}" for k in range(config.num_labels)]

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

    @torch.no_grad()
    def probabilities(self, sequences: Sequence[str]) -> Float[np.ndarray, "rows classes"]:
        """Returns the class probabilities of DNA sequences, in their order.

        As in the study, they are the mean over both strands where the task averages these.

        Raises:
            InputError: a sequence has an unknown letter, or more tokens than the backbone has
                positions.
        """
        cleaned = [sequence.strip().upper() for sequence in sequences]
        result = self._of_strand(cleaned)
        if self._spec.task.averages_rc:
            result = (result + self._of_strand([reverse_complement(s) for s in cleaned])) / 2
        return result

    def _of_strand(self, sequences: Sequence[str]) -> Float[np.ndarray, "rows classes"]:
        split, causal = self._encode(sequences), self._info.causal
        result = np.zeros((len(split), len(self.classes)))
        for rows in evaluation_batches(split, self._spec.training.eval_batch_size):
            batch = collate(split, rows, self._tokenizer.pad_id, self._device, causal=causal)
            del batch["labels"]
            with self._autocast():
                logits = self._model(**batch, **({"use_cache": False} if causal else {})).logits
            result[rows] = logits.float().softmax(dim=-1).cpu().numpy()
        return result

    def _autocast(self) -> Any:
        dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
        dtype = dtypes.get(self._spec.training.precision)
        if dtype is None or self._device.type == "cpu":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=dtype)

    def _encode(self, sequences: Sequence[str]) -> EncodedSplit:
        limit, most = self._spec.task.max_length, self._info.max_positions
        rows = self._tokenizer(sequences)
        if limit is not None:
            rows = [self._tokenizer.cut(row, limit) for row in rows]
        longest = max(map(len, rows), default=0)
        if most is not None and longest > most:
            raise InputError(
                f"sequences must fit the {most} positions of {self._info.name}, but got one of "
                f"{longest} tokens; shorten it"
            )
        return encode_split(rows, [0] * len(rows))
