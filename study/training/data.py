"""The batches drawn from a tokenised split.

Which rows form the batch of a step is a function of (data seed, step) alone: a resumed trial
needs no iterator state, and two trials with one data seed see the same batches.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int

from study.training.encoded import EncodedSplit

# A window of this many batches is sorted by length when batches are grouped by length: large
# enough that the padding nearly vanishes, small enough that the order stays random.
LENGTH_WINDOW = 50


def collate(
    split: EncodedSplit,
    rows: Int[np.ndarray, " batch"],
    pad_id: int,
    device: torch.device,
    *,
    causal: bool,
) -> dict[str, torch.Tensor]:
    """Returns `input_ids` (batch, longest), `labels` (batch) and, if needed, `attention_mask`.

    Padding is on the right, where a causal model does not look: it needs no mask, and neither
    does a batch without padding. Without one, attention takes its fast path, and a GPU is not
    asked whether the mask is full.
    """
    starts = split.offsets[rows]
    lengths = split.offsets[rows + 1] - starts
    ids = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    for place, start, length in zip(ids, starts, lengths, strict=True):
        place[:length] = split.tokens[start : start + length]
    batch = {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(split.labels[rows])}
    if not causal and lengths.min() < ids.shape[1]:
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
    if device.type == "cpu":
        return batch
    return {name: t.pin_memory().to(device, non_blocking=True) for name, t in batch.items()}


class BatchOrder:
    """Which rows of the training split form the batch of optimizer step 1, 2, 3, …

    Every epoch is a fresh permutation drawn from (data seed, epoch); its last batch may be
    smaller. With `group_by_length`, rows of similar length share a batch: windows of the
    permutation are sorted by length and the batches of the epoch shuffled again.
    """

    def __init__(
        self, split: EncodedSplit, batch_size: int, data_seed: int, group_by_length: bool
    ) -> None:
        self.rows = len(split)
        self.batch_size = batch_size
        self.data_seed = data_seed
        self.lengths = split.lengths if group_by_length else None
        self.batches_per_epoch = -(-self.rows // batch_size)
        self._epoch = -1
        self._batches: list[Int[np.ndarray, " batch"]] = []

    def __getitem__(self, step: int) -> Int[np.ndarray, " batch"]:
        epoch, index = divmod(step - 1, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._draw(epoch)
        return self._batches[index]

    def _draw(self, epoch: int) -> list[Int[np.ndarray, " batch"]]:
        generator = np.random.default_rng([self.data_seed, epoch])
        order = generator.permutation(self.rows)
        if self.lengths is None:
            return self._cut(order)
        window = self.batch_size * LENGTH_WINDOW
        windows = [order[start : start + window] for start in range(0, self.rows, window)]
        by_length = [rows[np.argsort(self.lengths[rows], kind="stable")] for rows in windows]
        batches = self._cut(np.concatenate(by_length))
        return [batches[i] for i in generator.permutation(len(batches))]

    def _cut(self, order: Int[np.ndarray, " rows"]) -> list[Int[np.ndarray, " batch"]]:
        return [
            order[start : start + self.batch_size]
            for start in range(0, self.rows, self.batch_size)
        ]


def evaluation_batches(
    split: EncodedSplit, batch_size: int
) -> Iterator[Int[np.ndarray, " batch"]]:
    """Yields every row once, longest first, so that little is padded and memory peaks first."""
    order = np.argsort(-split.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
