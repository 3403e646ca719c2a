"""Unlabelled sequences, one per line, and the fraction that is held out."""

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
    """Returns the reverse complement of a sequence of A, C, G, T and N."""
    return sequence.translate(_COMPLEMENT)[::-1]


@dataclass(frozen=True)
class Text:
    """Training lines and held-out lines, in upper case."""

    train: list[str]
    held_out: list[str]


def data_files(paths: Sequence[Path]) -> list[Path]:
    """Returns the files to read, in a fixed order; of folders, the .txt and .txt.gz files.

    Raises:
        InputError: a path does not exist, or a folder has no such file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.name.endswith((".txt", ".txt.gz")))
            if not inside:
                raise InputError(
                    f"{path}: must contain .txt or .txt.gz files, but got none; correct --data"
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(
                f"{path}: must be a file or a folder of text, but got nothing; correct --data"
            )
    return files


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a plain or gzipped file, in upper case, without empty ones.

    Raises:
        InputError: a line has letters other than A, C, G, T and N.
    """
    lines: list[str] = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.strip().upper()
            if line and not _LETTERS.fullmatch(line):
                raise InputError(
                    f"{path}:{number}: letters must be A, C, G, T or N, but got "
                    f"{sorted(set(line) - set('ACGTN'))}; give one sequence a line, no headers"
                )
            if line:
                lines.append(line)
    return lines


def load_text(files: Iterable[Path], held_out: float, seed: int) -> Text:
    """Returns the lines of all files, of which a seeded random fraction is held out.

    `held_out` is the fraction of each file's lines; at least one line per file is held out.

    Raises:
        InputError: a file has fewer than two sequences, or `read_lines` raises it.
    """
    generator = np.random.default_rng([seed, 0])
    text = Text([], [])
    for path in files:
        lines = read_lines(path)
        count = max(1, round(held_out * len(lines)))
        if count >= len(lines):
            raise InputError(
                f"{path}: must contain at least 2 sequences, but got {len(lines)}; add some, or "
                "leave the file out"
            )
        chosen = set(generator.choice(len(lines), size=count, replace=False).tolist())
        for index, line in enumerate(lines):
            (text.held_out if index in chosen else text.train).append(line)
    return text


def pieces(lines: Iterable[str], length: int = 500, shortest: int = 50) -> list[str]:
    """Returns the stretches of A, C, G and T, `shortest` to `length` bases long."""
    return [
        piece
        for line in lines
        for stretch in _PLAIN.findall(line)
        for start in range(0, len(stretch), length)
        if len(piece := stretch[start : start + length]) >= shortest
    ]
