"""The text of a run: what is trained on, what is held out, and the baseline's score for it."""

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
    """Training lines, held-out pieces of A, C, G and T, and how many lines were left out."""

    train: list[str]
    held_out: list[str]
    train_overlapping_excluded: int
    held_out_overlapping_excluded: int
    train_overlapping_held_out: int
    markov_bits_per_base: float

    def write(self, path: Path, same: bool = False) -> None:
        """Writes the counts as JSON.

        Raises:
            InputError: `same` is set, and `path` holds the counts of another text.
        """
        facts = {
            "train_lines": len(self.train),
            "train_bases": sum(map(len, self.train)),
            "held_out_bases": sum(map(len, self.held_out)),
            "train_overlapping_excluded": self.train_overlapping_excluded,
            "held_out_overlapping_excluded": self.held_out_overlapping_excluded,
            "train_overlapping_held_out": self.train_overlapping_held_out,
            "markov_bits_per_base": self.markov_bits_per_base,
        }
        if same and path.is_file() and json.loads(path.read_text()) != facts:
            raise InputError(
                f"--resume: the text must be the one that {path} describes, but --data, "
                "--exclude, --held-out or --seed give another; restore them, or take another --out"
            )
        path.write_text(json.dumps(facts, indent=2) + "\n")


def read_corpus(
    data: Sequence[Path],
    excluded: Sequence[Path],
    held_out: float,
    seed: int,
    say: Callable[[str], None],
) -> Corpus:
    """Reads the text without the lines that overlap the excluded or the held-out sequences.

    Two sequences overlap when they share 50 bases, on either strand. `held_out` is the share
    of each file's lines that is never trained on.
    """
    text = load_text(data_files(data), held_out, seed)
    say(f"{len(text.train):,} lines to train on, {len(text.held_out):,} held out")
    foreign = Windows([s for path in excluded for s in sequences_of_csv(path)])
    aside = _without(text.held_out, foreign)
    known = _without(text.train, foreign)
    train = _without(known, Windows(aside))
    measured = pieces(aside)
    if not measured or not pieces(train):
        raise InputError("--data: must leave text on both sides of --held-out, found too little")
    corpus = Corpus(
        train=train,
        held_out=measured,
        train_overlapping_excluded=len(text.train) - len(known),
        held_out_overlapping_excluded=len(text.held_out) - len(aside),
        train_overlapping_held_out=len(known) - len(train),
        markov_bits_per_base=markov_bits_per_base(pieces(train), measured),
    )
    say(_summary(corpus))
    return corpus


def _without(lines: list[str], windows: Windows) -> list[str]:
    shared = windows.shared_by(lines)
    return [line for line, drop in zip(lines, shared, strict=True) if not drop]


def _summary(corpus: Corpus) -> str:
    return (
        f"left out: {corpus.train_overlapping_excluded:,} training and "
        f"{corpus.held_out_overlapping_excluded:,} held-out lines that share 50 bases with "
        f"--exclude, {corpus.train_overlapping_held_out:,} training lines that do with held-out "
        f"ones\nheld out: {sum(map(len, corpus.held_out)):,} bases; order-5 Markov model "
        f"{corpus.markov_bits_per_base:.4f} bits per base"
    )
