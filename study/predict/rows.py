"""The sequences of a file of any length: read part by part, and checked before any is used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError
from study.spec.task import ColumnsSpec
from study.tasks.labels import NUMBER
from study.tasks.reading import Sequences, read_parts
from study.training.prediction.inputs import Inputs

PART = 2048
"""Rows that are in memory at once."""
UNKNOWN = -1
"""The class of a row whose label is none of the study's."""


@dataclass(frozen=True)
class Checked:
    """What is known of a file when it has been read once."""

    rows: int
    cut: int
    """Sequences that are cut to `task.max_length`, as in the study."""
    unknown: str | None
    """A label that is no class of the study; None if there is none."""
    labelled: bool
    """Whether every row has a label."""


class Rows:
    """The rows of a file, read again from its start by each `parts`."""

    def __init__(
        self, path: Path, columns: ColumnsSpec, inputs: Inputs, classes: Sequence[str], labels: int
    ) -> None:
        self.path, self._columns, self._inputs = path, columns, inputs
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._labels = labels

    def parts(self) -> Iterator[Sequences]:
        """Yields the rows in parts.

        Raises:
            InputError: the file cannot be read, or a row breaks a rule.
        """
        fix = "name it in the first line, or give its name: --sequence-column NAME"
        return read_parts(self.path, self._columns, PART, fix)

    def check(self) -> Checked:
        """Reads and tokenises all rows.

        Raises:
            InputError: as `parts`; or a sequence has an unknown token, or is too long.
        """
        rows = cut = 0
        unknown, labelled = None, True
        for part in self.parts():
            rows += len(part.sequences)
            cut += self._cut(part)
            numbers = self.numbers(part)
            labelled = labelled and part.labels is not None
            if part.labels is not None and unknown is None and UNKNOWN in numbers:
                unknown = part.labels[numbers.index(UNKNOWN)]
        return Checked(rows, cut, unknown, labelled)

    def numbers(self, part: Sequences) -> list[int]:
        """Returns the class of each row; `UNKNOWN` without a label that is a class."""
        return [self._number(label) for label in part.labels or [""] * len(part.sequences)]

    def _number(self, label: str) -> int:
        if self._numbers:
            return self._numbers.get(label, UNKNOWN)
        number = int(label.partition(".")[0]) if NUMBER.fullmatch(label) else UNKNOWN
        return number if number < self._labels else UNKNOWN

    def _cut(self, part: Sequences) -> int:
        try:
            return max(one.cut for one in self._inputs.encode(part.sequences))
        except InputError as error:
            for line, sequence in zip(part.table.lines, part.sequences, strict=True):
                self._check_one(f"{part.table.path}:{line}", sequence)
            raise error

    def _check_one(self, place: str, sequence: str) -> None:
        """Names the place of a sequence that cannot be read."""
        try:
            self._inputs.encode([sequence])
        except InputError as error:
            text = str(error)
            rule = text[text.index(": ") + 2 :]
            raise InputError(f"{place}: {rule}") from error
