"""Batches of a tokenised split.

The rows of a step's batch and the strands they are read from are a function of (data seed, step):
a resumed trial needs no iterator state, and trials with the same data seed see the same batches.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Int

from study.training.encoding import EncodedSplit

# Grouping by length sorts windows of this many batches: large enough for little padding, small
# enough for a random order.
LENGTH_WINDOW = 50
# Distinguishes the random stream of the strands from the others of the data seed: [seed, epoch]
# is the order of an epoch, [seed, batch, 1] dropout.
STRANDS = 2


def collate(
    split: EncodedSplit,
    rows: Int[np.ndarray, " batch"],
    pad_id: int,
    device: torch.device,
    *,
    causal: bool,
    flipped: Bool[np.ndarray, " batch"] | None = None,
) -> dict[str, torch.Tensor]:
    """Returns `input_ids` (batch, longest), `labels` (batch) and, if needed, `attention_mask`.

    `flipped` rows are read from the other strand. Padding is on the right, which a causal model
    does not attend to. A causal model and a batch without padding therefore get no mask: attention
    is faster without one, and the GPU need not be synchronised to inspect it.
    """
    unpadded = _token_ids(split, rows, flipped)
    lengths = np.array([len(row) for row in unpadded])
    ids = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    for padded, row in zip(ids, unpadded, strict=True):
        padded[: len(row)] = row
    batch = {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(split.labels[rows])}
    if not causal and lengths.min() < ids.shape[1]:
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
    if device.type == "cpu":
        return batch
    return {name: t.pin_memory().to(device, non_blocking=True) for name, t in batch.items()}


def _token_ids(
    split: EncodedSplit,
    rows: Int[np.ndarray, " batch"],
    flipped: Bool[np.ndarray, " batch"] | None,
) -> list[Int[np.ndarray, " length"]]:
    other = split.reverse_complement
    if other is None or flipped is None:
        return [split.row(row) for row in rows]
    return [(other if flip else split).row(i) for i, flip in zip(rows, flipped, strict=True)]


class BatchOrder:
    """The rows of the training split in the batch of optimizer step 1, 2, 3, …

    Every epoch is a permutation drawn from (data seed, epoch); its last batch may be smaller.
    With `group_by_length`, windows of the permutation are sorted by length, so that rows of
    similar length share a batch, and the batches of the epoch are shuffled.

    If the split has the other strand, every row is read from either strand with probability 0.5,
    drawn from (data seed, epoch, row). This stream does not affect the order of the rows.
    """

    def __init__(
        self, split: EncodedSplit, batch_size: int, data_seed: int, group_by_length: bool
    ) -> None:
        self.rows = len(split)
        self.batch_size = batch_size
        self.data_seed = data_seed
        self.lengths = split.lengths if group_by_length else None
        self.batches_per_epoch = -(-self.rows // batch_size)
        self.both_strands = split.reverse_complement is not None
        self._epoch = -1
        self._batches: list[Int[np.ndarray, " batch"]] = []
        self._flips = np.zeros(self.rows, dtype=bool)

    def __getitem__(self, step: int) -> Int[np.ndarray, " batch"]:
        epoch, index = divmod(step - 1, self.batches_per_epoch)
        if epoch != self._epoch:
            self._start_epoch(epoch)
        return self._batches[index]

    def flipped(self, step: int) -> Bool[np.ndarray, " batch"]:
        """Returns for each row of the step whether it is read from the other strand."""
        rows = self[step]
        flipped: Bool[np.ndarray, " batch"] = self._flips[rows]
        return flipped

    def _start_epoch(self, epoch: int) -> None:
        self._epoch, self._batches = epoch, self._draw(epoch)
        if self.both_strands:
            generator = np.random.default_rng([self.data_seed, epoch, STRANDS])
            self._flips = generator.random(self.rows) < 0.5

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
    """Yields every row once, longest first: little padding, and peak memory at the start."""
    order = np.argsort(-split.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
