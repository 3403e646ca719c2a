"""The letters of a sequence: k-mers are joined, RNA is read as DNA, all others are refused."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from study.csv_table import Table, numbered
from study.errors import InputError

LETTERS = frozenset("ACGTN")
_RNA = frozenset("ACGUN")
_AMBIGUOUS = frozenset("RYSWKMBDHV")
"""IUPAC's codes of two or three bases."""
_PROTEIN = frozenset("EFIJLOPQXZ")
"""Letters of amino acids that are no code of bases."""
MAX_KINDS = 8
"""How many different letters a message counts."""


def joined(cell: str) -> str:
    """Returns a sequence in upper case; overlapping k-mers, such as `ACG CGT GTT`, are joined.

    Each k-mer must begin with the last k - 1 letters of the one before. Other texts with spaces
    keep them.
    """
    words = cell.upper().split()
    if len(words) < 2:
        return cell.upper()
    if all(len(one) == len(two) and one[1:] == two[:-1] for one, two in pairwise(words)):
        return words[0] + "".join(word[-1] for word in words[1:])
    return cell.upper()


def as_dna(table: Table, column: str) -> tuple[list[str], list[bool]]:
    """Returns the sequences of a column over A, C, G, T and N, and whether each was RNA.

    K-mers are joined and U is read as T. A sequence may have T or U, not both.

    Raises:
        InputError: a sequence has other letters, which are counted, or both T and U.
    """
    cells = list(map(joined, table.cells[column]))
    rna = ["U" in cell for cell in cells]
    odd = [
        row
        for row, (cell, has_u) in enumerate(zip(cells, rna, strict=True))
        if not (_RNA if has_u else LETTERS).issuperset(cell)
    ]
    if odd:
        _refuse(table, cells, odd)
    return [cell.replace("U", "T") for cell in cells], rna


def _refuse(table: Table, cells: list[str], rows: list[int]) -> None:
    """Raises the error of sequences with letters that are not understood."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(cells[row])
    lines = [table.lines[row] for row in rows]
    where, place = f"{table.path}:{lines[0]}", numbered(lines, table.unit)
    found = {letter: n for letter, n in counts.most_common() if letter not in LETTERS}
    if found.keys() == {"U"}:
        raise InputError(
            f"{where}: a sequence must have T (DNA) or U (RNA), but got both ({place}); write one "
            "of them"
        )
    found.pop("U", None)
    shown = ", ".join(f"{letter!r} {count}" for letter, count in list(found.items())[:MAX_KINDS])
    more = f" and {len(found) - MAX_KINDS} others" if len(found) > MAX_KINDS else ""
    raise InputError(
        f"{where}: a sequence must consist of A, C, G, T (or U) and N, but got {shown}{more} "
        f"({place}); {_fix(set(found))}"
    )


def _fix(letters: set[str]) -> str:
    """Returns what to do about the letters that are not understood."""
    if letters <= _AMBIGUOUS:
        return "write N for ambiguous bases, or remove these rows"
    if letters <= {"-", "."}:
        return "remove the gaps of the alignment"
    if letters & _PROTEIN and letters <= _PROTEIN | _AMBIGUOUS | {"*"}:
        return "give DNA or RNA if these are proteins, or remove these rows"
    return "write N for ambiguous bases, or remove these rows"
