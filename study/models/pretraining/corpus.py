"""The text of a pre-training run: training lines, held-out pieces, the baseline's score."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError
from study.models.pretraining.markov import markov_bits_per_base
from study.models.pretraining.overlap import Windows, sequences_of_csv
from study.models.pretraining.text import data_files, load_text, pieces


@dataclass(frozen=True)
class Corpus:
    """Training lines, held-out pieces of A, C, G and T, and the number of excluded lines."""

    train: list[str]
    held_out: list[str]
    train_overlapping_excluded: int
    held_out_overlapping_excluded: int
    train_overlapping_held_out: int
    markov_bits_per_base: float

    def write(self, path: Path, same: bool = False) -> None:
        """Writes the counts as JSON.

        Raises:
            InputError: with `same`, if `path` has the counts of another text.
        """
        counts = {
            "train_lines": len(self.train),
            "train_bases": sum(map(len, self.train)),
            "held_out_bases": sum(map(len, self.held_out)),
            "train_overlapping_excluded": self.train_overlapping_excluded,
            "held_out_overlapping_excluded": self.held_out_overlapping_excluded,
            "train_overlapping_held_out": self.train_overlapping_held_out,
            "markov_bits_per_base": self.markov_bits_per_base,
        }
        if same and path.is_file() and json.loads(path.read_text()) != counts:
            raise InputError(
                f"--resume: the text must be the one of {path}, but got another from --data, "
                "--exclude, --held-out and --seed; restore them, or use another --out"
            )
        path.write_text(json.dumps(counts, indent=2) + "\n")


def read_corpus(
    data: Sequence[Path],
    excluded: Sequence[Path],
    held_out: float,
    seed: int,
    log: Callable[[str], None],
) -> Corpus:
    """Reads the text, without the lines that overlap an excluded or a held-out sequence.

    Two sequences overlap if they share 50 bases, on either strand. `held_out` is the fraction of
    each file's lines that is not trained on.
    """
    text = load_text(data_files(data), held_out, seed)
    log(f"{len(text.train):,} lines to train on, {len(text.held_out):,} held out")
    windows = Windows([s for path in excluded for s in sequences_of_csv(path)])
    held_out_lines = _without(text.held_out, windows)
    allowed = _without(text.train, windows)
    train = _without(allowed, Windows(held_out_lines))
    held_out_pieces = pieces(held_out_lines)
    if not held_out_pieces or not pieces(train):
        raise InputError(
            "--data: there must be text to train on and to hold out, but got too little; give "
            "more text, or another --held-out"
        )
    corpus = Corpus(
        train=train,
        held_out=held_out_pieces,
        train_overlapping_excluded=len(text.train) - len(allowed),
        held_out_overlapping_excluded=len(text.held_out) - len(held_out_lines),
        train_overlapping_held_out=len(allowed) - len(train),
        markov_bits_per_base=markov_bits_per_base(pieces(train), held_out_pieces),
    )
    log(_summary(corpus))
    return corpus


def _without(lines: list[str], windows: Windows) -> list[str]:
    shared = windows.shared_by(lines)
    return [line for line, drop in zip(lines, shared, strict=True) if not drop]


def _summary(corpus: Corpus) -> str:
    return (
        f"excluded: {corpus.train_overlapping_excluded:,} training and "
        f"{corpus.held_out_overlapping_excluded:,} held-out lines that share 50 bases with "
        f"--exclude, {corpus.train_overlapping_held_out:,} training lines that share 50 bases "
        f"with held-out lines\nheld out: {sum(map(len, corpus.held_out)):,} bases; order-5 Markov "
        f"model {corpus.markov_bits_per_base:.4f} bits per base"
    )
