"""Token ids of a task's splits for one backbone, on one or both strands.

Imports no torch, so that bad data is refused before anything heavy is imported.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from study.tasks.split import reverse_complement
from study.training.token_report import TokenReport, count_tokens

_OTHER_STRAND = "{}, other strand"
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

    def reports(self) -> dict[str, Any]:
        """Returns `tokens` and `quality` as JSON for the journal, if they were measured."""
        reports = {"tokens": self.tokens, "quality": self.quality}
        return {name: report.record() for name, report in reports.items() if report is not None}

    def fingerprint(self) -> str:
        """Returns a hash of all tokens, labels and names of classes, to detect changed data."""
        digest = hashlib.sha256(f"{self.num_labels} {self.pad_id}".encode())
        for name in self.classes:
            digest.update(f"{len(name)} {name}".encode())
        for split in (self.train, self.dev, self.test):
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
    counts = {name: count_tokens(part, limit) for name, part in lengths.items()}
    report = TokenReport(limit, spec.max_length is None, counts)
    encoded = {
        name: _encode(
            tokenizer, limit, split.labels, rows[name], rows.get(_OTHER_STRAND.format(name))
        )
        for name, split in task.splits()
    }
    return EncodedTask(
        task.name,
        task.num_labels,
        tokenizer.pad_id,
        **encoded,
        tokens=report,
        quality=task.quality,
        classes=task.classes,
    )


def _tokenised(spec: TaskSpec, tokenizer: Tokenizer, task: Task) -> dict[str, Rows]:
    rows = {}
    for name, split in task.splits():
        rows[name] = _rows(tokenizer, f"{task.name}, {name}", split.sequences)
        if spec.augments_rc if name == "train" else spec.averages_rc:
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
