"""A task as the tokens of one backbone, both strands where the task asks for them.

Imports no torch, so that bad data is refused before anything heavy is loaded.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class SplitTokens:
    """Tokens per sequence of one split, special tokens included, before any cut."""

    mean: float
    longest: int
    truncated: float
    """Share of sequences, in [0, 1], that are longer than the limit and lose their end."""
    unknown: float = 0.0
    """Share of unknown tokens: always 0, as a split with any is refused."""


@dataclass(frozen=True)
class TokenReport:
    """The splits by name; `train, other strand` where reverse complements were read as well."""

    max_length: int
    """The most tokens a row may have: `task.max_length`, else as many as the longest has."""
    measured: bool
    """Whether `max_length` was measured; else it was set."""
    splits: dict[str, SplitTokens]

    def lines(self) -> list[str]:
        """The report for people, a line a split after one for all."""
        limit = "the longest sequence" if self.measured else "task.max_length"
        lines = [f"at most {self.max_length} a sequence ({limit}), none unknown"]
        for name, split in self.splits.items():
            cut = f", {split.truncated:.1%} of the sequences are cut" if split.truncated else ""
            lines.append(f"{name}: {split.mean:.1f} on average, {split.longest} at most{cut}")
        return lines

    def record(self) -> dict[str, Any]:
        """The report for the journal."""
        return asdict(self)


@dataclass(frozen=True)
class EncodedSplit:
    """Token ids of all rows, one after the other; row i is `tokens[offsets[i]:offsets[i+1]]`.

    `reverse_complement` holds the same rows as read from the other strand, where they are wanted:
    in train to augment, in dev and test to average the two strands.
    """

    tokens: Int[np.ndarray, " total"]
    offsets: Int[np.ndarray, " rows_plus_one"]
    labels: Int[np.ndarray, " rows"]
    reverse_complement: "EncodedSplit | None" = None

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> Int[np.ndarray, " length"]:
        """The token ids of one row."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> Int[np.ndarray, " rows"]:
        """Tokens per row, special tokens included."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class EncodedTask:
    """The three splits of a task as one tokenizer sees them."""

    name: str
    num_labels: int
    pad_id: int
    train: EncodedSplit
    dev: EncodedSplit
    test: EncodedSplit
    tokens: TokenReport | None = None
    """How the tokenizer saw the sequences."""
    quality: Quality | None = None
    """What the sequences were like."""

    def reports(self) -> dict[str, Any]:
        """Returns `tokens` and `quality` as the journal keeps them, where they were measured."""
        found = {"tokens": self.tokens, "quality": self.quality}
        return {name: report.record() for name, report in found.items() if report is not None}

    def fingerprint(self) -> str:
        """Returns a hash of all tokens and labels, by which changed data is noticed."""
        digest = hashlib.sha256(f"{self.num_labels} {self.pad_id}".encode())
        for split in (self.train, self.dev, self.test):
            for strand in (split, split.reverse_complement):
                if strand is not None:
                    for array in (strand.tokens, strand.offsets, strand.labels):
                        digest.update(array.tobytes())
        return digest.hexdigest()


OTHER = "{}, other strand"
Rows = list[list[int]]


def encode_task(spec: TaskSpec, info: BackboneInfo, task: Task) -> EncodedTask:
    """Tokenises the splits; rows longer than `spec.max_length`, if it is set, lose their end.

    The other strand is tokenised where the spec wants it, and counts for the longest row: byte
    pairs read it as other tokens, and as another number of them.

    Raises:
        InputError: a sequence has an unknown token or none at all; rows have more tokens than
            the backbone has positions.
    """
    tokenizer = load_tokenizer(info)
    rows = _tokenised(spec, tokenizer, task)
    lengths = {name: list(map(len, part)) for name, part in rows.items()}
    longest = max(max(part) for part in lengths.values())
    limit = spec.max_length or longest
    _check_positions(spec, info, task, limit, longest)
    counts = {name: count_tokens(part, limit) for name, part in lengths.items()}
    report = TokenReport(limit, spec.max_length is None, counts)
    encoded = {
        name: _encode(tokenizer, limit, split.labels, rows[name], rows.get(OTHER.format(name)))
        for name, split in task.splits()
    }
    return EncodedTask(
        task.name,
        task.num_labels,
        tokenizer.pad_id,
        **encoded,
        tokens=report,
        quality=task.quality,
    )


def _tokenised(spec: TaskSpec, tokenizer: Tokenizer, task: Task) -> dict[str, Rows]:
    rows = {}
    for name, split in task.splits():
        rows[name] = _rows(tokenizer, f"{task.name}, {name}", split.sequences)
        if spec.augments_rc if name == "train" else spec.averages_rc:
            other = OTHER.format(name)
            reverse = list(map(reverse_complement, split.sequences))
            rows[other] = _rows(tokenizer, f"{task.name}, {other}", reverse)
    return rows


def _rows(tokenizer: Tokenizer, where: str, sequences: Sequence[str]) -> Rows:
    try:
        return tokenizer(sequences)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _check_positions(
    spec: TaskSpec, info: BackboneInfo, task: Task, limit: int, longest: int
) -> None:
    if info.max_positions is not None and limit > info.max_positions:
        raise InputError(
            f"task.max_length: sequences must fit the {info.max_positions} positions of "
            f"{info.name}, but {task.name} has up to {longest} tokens"
            + (f" and max_length is {limit}" if spec.max_length else "")
            + f"; set task.max_length to {info.max_positions} to cut them, or use a backbone with "
            "more positions"
        )


def _encode(
    tokenizer: Tokenizer, limit: int, labels: Sequence[int], rows: Rows, other: Rows | None
) -> EncodedSplit:
    def cut(part: Rows) -> Rows:
        return [tokenizer.cut(row, limit) for row in part]

    twin = None if other is None else encode_split(cut(other), labels)
    return encode_split(cut(rows), labels, twin)


def encode_split(
    rows: Sequence[Sequence[int]],
    labels: Sequence[int],
    reverse_complement: EncodedSplit | None = None,
) -> EncodedSplit:
    """Packs token ids row by row into flat arrays."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    tokens = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=offsets[-1])
    return EncodedSplit(tokens, offsets, np.asarray(labels, dtype=np.int64), reverse_complement)


def count_tokens(lengths: Sequence[int], max_length: int) -> SplitTokens:
    """Sums up the tokens of each sequence of a split that has at least one."""
    counts = np.asarray(lengths)
    return SplitTokens(
        mean=float(counts.mean()),
        longest=int(counts.max()),
        truncated=float((counts > max_length).mean()),
    )
