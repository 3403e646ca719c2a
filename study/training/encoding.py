"""Token ids of a task's splits for one backbone, on one or both strands.

Imports no torch, so that bad data is refused before anything heavy is imported.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Int

from study.errors import InputError
from study.models.info import BackboneInfo
from study.models.tokenization import Tokenizer, load_tokenizer
from study.spec import TaskSpec
from study.tasks import Task
from study.tasks.quality import Quality
from study.tasks.resplit import Pool
from study.tasks.split import SPLITS, Split, reverse_complement
from study.training.token_report import TokenReport, count_tokens

_OTHER_STRAND = "{}, other strand"
_POOL = "all rows"
Rows = list[list[int]]


@dataclass(frozen=True)
class EncodedSplit:
    """Token ids of all rows, concatenated; row i is `tokens[offsets[i]:offsets[i+1]]`.

    `reverse_complement` has the same rows read from the other strand, if the task uses both: in
    train for augmentation, in dev and test to average the predictions of both strands.
    """

    tokens: Int[np.ndarray, " total"]
    offsets: Int[np.ndarray, " rows_plus_one"]
    labels: Int[np.ndarray, " rows"]
    reverse_complement: "EncodedSplit | None" = None

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> Int[np.ndarray, " length"]:
        """Returns the token ids of one row."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> Int[np.ndarray, " rows"]:
        """Tokens per row, special tokens included."""
        return np.diff(self.offsets)


def select(split: EncodedSplit, rows: Int[np.ndarray, " some"]) -> EncodedSplit:
    """Returns the given rows of a split."""
    other = split.reverse_complement
    return EncodedSplit(
        np.concatenate([split.row(row) for row in rows]),
        np.concatenate([[0], np.cumsum(split.lengths[rows])]),
        split.labels[rows],
        None if other is None else select(other, rows),
    )


@dataclass(frozen=True)
class EncodedPool:
    """All rows of a task, tokenised, from which splits are drawn again."""

    rows: EncodedSplit
    pool: Pool
    units: Int[np.ndarray, " rows"]
    """The unit of each row; see study/tasks/resplit.py."""
    both_strands: Collection[str]
    """The splits of which both strands are read."""

    def select(self, name: str, rows: Int[np.ndarray, " some"]) -> EncodedSplit:
        """Returns the given rows as the split `name`."""
        split = select(self.rows, rows)
        return split if name in self.both_strands else replace(split, reverse_complement=None)


@dataclass(frozen=True)
class DrawnRows:
    """From where in the table the rows of splits come that were drawn for a data seed."""

    units: Mapping[str, Int[np.ndarray, " rows"]]
    """Split -> the unit of each row."""
    shares: Mapping[str, float]
    """Split -> its share of the rows from which it was drawn."""


@dataclass(frozen=True)
class EncodedTask:
    """The three splits of a task, tokenised for one backbone."""

    name: str
    num_labels: int
    pad_id: int
    train: EncodedSplit
    dev: EncodedSplit
    test: EncodedSplit
    tokens: TokenReport | None = None
    quality: Quality | None = None
    classes: tuple[str, ...] = ()
    """Names of the classes 0..k-1; empty if the labels are numbers."""
    pool: EncodedPool | None = None
    """With `task.resplit` all rows; None in a task whose splits were drawn from it."""
    drawn: DrawnRows | None = None
    """Of splits that `at` has drawn."""
    counted_rows: int | None = None

    @property
    def train_rows(self) -> int:
        """The rows of train by which steps are counted: the same for all draws of the splits."""
        return len(self.train) if self.counted_rows is None else self.counted_rows

    def at(self, data_seed: int) -> "EncodedTask":
        """Returns the task with the splits of a data seed; itself without `task.resplit`.

        Raises:
            InputError: no draw has the classes that training needs.
        """
        if self.pool is None:
            return self
        pool, rows = self.pool, self.pool.pool.draw(data_seed)
        left = len(pool.units) - (len(self.test) if pool.pool.held_out else 0)
        changing = [name for name in rows if name != "test" or not pool.pool.held_out]
        return replace(
            self,
            train=pool.select("train", rows["train"]),
            dev=pool.select("dev", rows["dev"]),
            test=pool.select("test", rows["test"]),
            pool=None,
            drawn=DrawnRows(
                {name: pool.units[rows[name]] for name in changing},
                {name: len(rows[name]) / left for name in changing},
            ),
            counted_rows=self.train_rows,
        )

    def with_test_held_out(self) -> "EncodedTask":
        """Returns the task of which a data seed draws only train and dev."""
        if self.pool is None:
            return self
        return replace(self, pool=replace(self.pool, pool=self.pool.pool.with_test_held_out()))

    def reports(self) -> dict[str, Any]:
        """Returns `tokens` and `quality` as JSON for the journal, if they were measured."""
        reports = {"tokens": self.tokens, "quality": self.quality}
        return {name: report.record() for name, report in reports.items() if report is not None}

    def fingerprint(self) -> str:
        """Returns a hash of all tokens, labels and names of classes, to detect changed data."""
        digest = hashlib.sha256(f"{self.num_labels} {self.pad_id}".encode())
        for name in self.classes:
            digest.update(f"{len(name)} {name}".encode())
        splits = [self.train, self.dev, self.test]
        if self.pool is not None:
            digest.update(self.pool.units.tobytes())
            splits.append(self.pool.rows)
        for split in splits:
            for strand in (split, split.reverse_complement):
                if strand is not None:
                    for array in (strand.tokens, strand.offsets, strand.labels):
                        digest.update(array.tobytes())
        return digest.hexdigest()


def encode_task(spec: TaskSpec, info: BackboneInfo, task: Task) -> EncodedTask:
    """Tokenises the splits; rows longer than `spec.max_length`, if it is set, are truncated.

    If the spec uses both strands, the other strand is tokenised as well and counts for the longest
    row: under byte-pair encoding its number of tokens differs.

    Raises:
        InputError: a sequence has an unknown token or no token, or a row has more tokens than
            the backbone has positions.
    """
    tokenizer = load_tokenizer(info)
    rows = _tokenised(spec, tokenizer, task)
    lengths = {name: list(map(len, part)) for name, part in rows.items()}
    longest = max(max(part) for part in lengths.values())
    limit = spec.max_length or longest
    if info.max_positions is not None and limit > info.max_positions:
        raise _too_long(spec, info, task, lengths)
    counts = {
        name: count_tokens(part, limit)
        for name, part in lengths.items()
        if not name.startswith(_POOL)
    }
    report = TokenReport(limit, spec.max_length is None, counts)
    encoded: dict[str, Any] = {
        name: _encode(
            tokenizer, limit, split.labels, rows[name], rows.get(_OTHER_STRAND.format(name))
        )
        for name, split in _labelled(task).items()
    }
    whole = encoded.pop(_POOL, None)
    return EncodedTask(
        task.name,
        task.num_labels,
        tokenizer.pad_id,
        **encoded,
        tokens=report,
        quality=task.quality,
        classes=task.classes,
        pool=None if whole is None or task.pool is None else _pool(spec, whole, task.pool),
    )


def _labelled(task: Task) -> dict[str, Split]:
    """Returns the splits, and all rows if splits are drawn again."""
    return dict(task.splits()) | ({} if task.pool is None else {_POOL: task.pool.rows})


def _pool(spec: TaskSpec, whole: EncodedSplit, pool: Pool) -> EncodedPool:
    both = {name for name in SPLITS if _reads_both_strands(spec, name)}
    return EncodedPool(whole, pool, pool.units(), both)


def _reads_both_strands(spec: TaskSpec, name: str) -> bool:
    if name == _POOL:
        return spec.augments_rc or spec.averages_rc
    return spec.augments_rc if name == "train" else spec.averages_rc


def _tokenised(spec: TaskSpec, tokenizer: Tokenizer, task: Task) -> dict[str, Rows]:
    rows = {}
    for name, split in _labelled(task).items():
        rows[name] = _rows(tokenizer, f"{task.name}, {name}", split.sequences)
        if _reads_both_strands(spec, name):
            other = _OTHER_STRAND.format(name)
            reverse = list(map(reverse_complement, split.sequences))
            rows[other] = _rows(tokenizer, f"{task.name}, {other}", reverse)
    return rows


def _rows(tokenizer: Tokenizer, where: str, sequences: Sequence[str]) -> Rows:
    try:
        return tokenizer(sequences)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _too_long(
    spec: TaskSpec, info: BackboneInfo, task: Task, lengths: Mapping[str, Sequence[int]]
) -> InputError:
    """Returns the error of sequences, or a limit, that do not fit the backbone's positions."""
    assert info.max_positions is not None
    places = [
        (tokens, f"{name}, row {row}")
        for name, part in lengths.items()
        for row, tokens in enumerate(part, start=1)
        if tokens > info.max_positions
    ]
    longest, place = max(places, key=lambda found: found[0], default=(0, ""))
    found = [f"up to {longest} tokens in {task.name}, {place} ({len(places)} too long)"]
    limit = [f"max_length = {spec.max_length}"] if spec.max_length else []
    return InputError(
        f"task.max_length: sequences must fit the {info.max_positions} positions of {info.name}, "
        f"but got {' and '.join([*(found if places else []), *limit])}; set task.max_length to "
        f"{info.max_positions} to truncate them, or use a backbone with more positions"
    )


def _encode(
    tokenizer: Tokenizer, limit: int, labels: Sequence[int], rows: Rows, other: Rows | None
) -> EncodedSplit:
    def cut(part: Rows) -> Rows:
        return [tokenizer.cut(row, limit) for row in part]

    other_strand = None if other is None else encode_split(cut(other), labels)
    return encode_split(cut(rows), labels, other_strand)


def encode_split(
    rows: Sequence[Sequence[int]],
    labels: Sequence[int],
    reverse_complement: EncodedSplit | None = None,
) -> EncodedSplit:
    """Returns the rows of token ids as a split."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    tokens = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=offsets[-1])
    return EncodedSplit(tokens, offsets, np.asarray(labels, dtype=np.int64), reverse_complement)
