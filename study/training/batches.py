"""The batches drawn from a tokenised split.

Which rows form the batch of a step, and from which strand they are read, is a function of (data
seed, step) alone: a resumed trial needs no iterator state, and two trials with one data seed see
the same batches.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Int

from study.training.encoding import EncodedSplit

# A window of this many batches is sorted by length when batches are grouped by length: large
# enough that the padding nearly vanishes, small enough that the order stays random.
LENGTH_WINDOW = 50
# What sets the coins of the strands apart from the other draws of the data seed: dropout's has 1
# in this place, the order of an epoch nothing.
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

    `flipped` rows are read from the other strand. Padding is on the right, where a causal model
    does not look: it needs no mask, and neither does a batch without padding. Without one,
    attention takes its fast path, and a GPU is not asked whether the mask is full.
    """
    found = _token_ids(split, rows, flipped)
    lengths = np.array([len(row) for row in found])
    ids = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    for place, row in zip(ids, found, strict=True):
        place[: len(row)] = row
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
    """Which rows of the training split form the batch of optimizer step 1, 2, 3, …

    Every epoch is a fresh permutation drawn from (data seed, epoch); its last batch may be
    smaller. With `group_by_length`, rows of similar length share a batch: windows of the
    permutation are sorted by length and the batches of the epoch shuffled again.

    Where the split knows the other strand, an epoch reads every row from either, by a fair coin
    of (data seed, epoch, row). The coins are a stream of their own: they move no batch.
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
        index = self._go_to(step)
        return self._batches[index]

    def flipped(self, step: int) -> Bool[np.ndarray, " batch"]:
        """Which of the step's rows are read from the other strand."""
        rows = self[step]
        flipped: Bool[np.ndarray, " batch"] = self._flips[rows]
        return flipped

    def _go_to(self, step: int) -> int:
        """Draws the epoch of `step` and returns the step's place in it."""
        epoch, index = divmod(step - 1, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._draw(epoch)
            if self.both_strands:
                coins = np.random.default_rng([self.data_seed, epoch, STRANDS])
                self._flips = coins.random(self.rows) < 0.5
        return index

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
