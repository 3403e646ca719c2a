"""A file that is read in parts has the same rows as one that is read at once."""

from pathlib import Path

import pyarrow
import pytest
from pyarrow.parquet import write_table

from study.errors import InputError
from study.spec.task import ColumnsSpec
from study.tasks.reading import read_parts, read_sequences
from tests.study.models.checkpoints import random_dna

NAMES = ColumnsSpec()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The same eleven rows as csv, FASTA and parquet."""
    rows = [(f"s{i}", one, str(i % 2)) for i, one in enumerate(random_dna(11, 20))]
    lines = [",".join(row) for row in rows]
    (tmp_path / "a.csv").write_text("\n".join(["id,sequence,label", *lines[:6], "", *lines[6:]]))
    records = [f">{name} label={label}\n{one[:7]}\n{one[7:]}\n" for name, one, label in rows]
    (tmp_path / "a.fa").write_text("".join(records))
    columns = dict(
        zip(("id", "sequence", "label"), map(list, zip(*rows, strict=True)), strict=True)
    )
    write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    return [tmp_path / name for name in ("a.csv", "a.fa", "a.parquet")]


@pytest.mark.parametrize("size", [1, 4, 11, 100])
def test_parts_are_the_rows_of_the_file_in_order(files: list[Path], size: int) -> None:
    for file in files:
        whole = read_sequences(file, NAMES, labelled=False)
        parts = list(read_parts(file, NAMES, size, "fix"))
        assert [len(part.ids) for part in parts] == [
            min(size, 11 - start) for start in range(0, 11, size)
        ]
        for name in ("ids", "sequences", "labels"):
            found = [cell for part in parts for cell in getattr(part, name)]
            assert found == getattr(whole, name), (file, name)
        assert [line for part in parts for line in part.table.lines] == whole.table.lines


def test_rows_without_names_are_numbered_through_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("sequence\n" + "\n".join(random_dna(5, 9)))
    assert [part.ids for part in read_parts(file, NAMES, 2, "")] == [["1", "2"], ["3", "4"], ["5"]]


def test_a_bad_row_of_a_later_part_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("sequence\nACGT\nACGT\nACGT\nAC-GT\n")
    parts = read_parts(file, NAMES, 2, "")
    assert next(parts).sequences == ["ACGT", "ACGT"]
    with pytest.raises(InputError, match=r"a\.csv:5: a sequence must consist of"):
        next(parts)
