"""Unlabelled sequence, one per line, and the share of it that is never trained on."""

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.errors import InputError

_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
_LETTERS = re.compile("[ACGTN]+")
_PLAIN = re.compile("[ACGT]+")


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction; letters A, C, G, T and N."""
    return sequence.translate(_COMPLEMENT)[::-1]


@dataclass(frozen=True)
class Text:
    """Training lines and held-out lines, upper-cased."""

    train: list[str]
    held_out: list[str]


def data_files(paths: Sequence[Path]) -> list[Path]:
    """The files to read, in a fixed order: folders stand for their .txt and .txt.gz files.

    Raises InputError for a path that does not exist and for a folder without such files.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.name.endswith((".txt", ".txt.gz")))
            if not inside:
                raise InputError(f"{path}: must hold .txt or .txt.gz files, found none")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path}: must be a file or a folder of text, found nothing there")
    return files


def read_lines(path: Path) -> list[str]:
    """The sequences of one plain or gzipped file, upper-cased, empty lines skipped.

    Raises InputError naming the line for letters other than A, C, G, T and N.
    """
    lines: list[str] = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.strip().upper()
            if line and not _LETTERS.fullmatch(line):
                raise InputError(
                    f"{path}:{number}: letters must be A, C, G, T or N, found "
                    f"{sorted(set(line) - set('ACGTN'))}; give one sequence a line, no headers"
                )
            if line:
                lines.append(line)
    return lines


def load_text(files: Iterable[Path], held_out: float, seed: int) -> Text:
    """All lines, with a seeded share of every file's lines held out.

    `held_out` is a fraction of each file's lines, at least one line a file.
    """
    generator = np.random.default_rng([seed, 0])
    text = Text([], [])
    for path in files:
        lines = read_lines(path)
        count = max(1, round(held_out * len(lines)))
        if count >= len(lines):
            raise InputError(f"{path}: must hold at least 2 sequences, found {len(lines)}")
        chosen = set(generator.choice(len(lines), size=count, replace=False).tolist())
        for index, line in enumerate(lines):
            (text.held_out if index in chosen else text.train).append(line)
    return text


def pieces(lines: Iterable[str], length: int = 500, shortest: int = 50) -> list[str]:
    """Stretches of A, C, G and T of at most `length` and at least `shortest` bases."""
    return [
        piece
        for line in lines
        for stretch in _PLAIN.findall(line)
        for start in range(0, len(stretch), length)
        if len(piece := stretch[start : start + length]) >= shortest
    ]
