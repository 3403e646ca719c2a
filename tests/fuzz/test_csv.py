"""Damaged tables of a task: each is read by the rules or refused in one line."""

import gzip
import io
import random
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import Task, load_task
from tests.error_texts import PATTERN
from tests.fuzz.mutations import damaged_bytes, damaged_value, time_limit

pytestmark = pytest.mark.chaos

CASES = 3_000
SECONDS = 30
"""The longest that one folder may take."""
ROWS = {"train": 24, "dev": 8, "test": 8}
LABELS = (("0", "1"), ("0.0", "1.0"), ("other", "promoter"))
ENDINGS = ("csv", "tsv", "csv.gz", "tsv.gz", "parquet", "fa", "fa.gz")
SHARES = {"dev": 0.2, "test": 0.2, "seed": 3}

Columns = dict[str, list[Any]]


def made_columns(split: str, labels: tuple[str, ...], k_mers: bool) -> Columns:
    """The columns of a sound table."""
    rng = random.Random(split)
    sequences = ["".join(rng.choices("ACGT", k=30)) for _ in range(ROWS[split])]
    if k_mers:
        sequences = [" ".join(s[i : i + 6] for i in range(len(s) - 5)) for s in sequences]
    return {
        "sequence": sequences,
        "label": [labels[row % len(labels)] for row in range(len(sequences))],
        "note": [f'a "quoted", note {row}' for row in range(len(sequences))],
        "split": [split] * len(sequences),
    }


def written(columns: Mapping[str, Any], ending: str) -> bytes:
    """A table as the bytes of a file; values of any type."""
    if ending == "parquet":
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.table(dict(columns)), buffer, row_group_size=10)
        return buffer.getvalue()
    if ending.startswith("fa"):
        data = fasta(columns).encode("utf-8", "surrogatepass")
        return gzip.compress(data, mtime=0) if ending.endswith("gz") else data
    separator = "\t" if ending.startswith("tsv") else ","
    rows = [list(columns), *zip(*columns.values(), strict=False)]
    quoted = (['"' + str(c).replace('"', '""') + '"' if '"' in str(c) else str(c) for c in row]
              for row in rows)  # fmt: skip
    text = "\n".join(separator.join(row) for row in quoted) + "\n"
    data = text.encode("utf-8", "surrogatepass")
    return gzip.compress(data, mtime=0) if ending.endswith("gz") else data


def fasta(columns: Mapping[str, Any]) -> str:
    """Records with a header of all columns but the sequence."""
    rows = [
        dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
    ]
    records = []
    for number, row in enumerate(rows):
        fields = " ".join(f"{name}={cell}" for name, cell in row.items() if name != "sequence")
        records.append(f">s{number} {fields}\n{row.get('sequence', '')}\n")
    return "".join(records)


def damaged(columns: Columns, ending: str, rng: random.Random) -> bytes:
    """A table whose values, text, or file are damaged."""
    match rng.randrange(3):
        case 0:
            return with_odd_values(damaged_value(columns, rng), ending)
        case 1 if ending.endswith("gz"):
            plain = written(columns, ending.removesuffix(".gz"))
            return gzip.compress(damaged_bytes(plain, rng), mtime=0)
    return damaged_bytes(written(columns, ending), rng)


def with_odd_values(columns: dict[Any, Any], ending: str) -> bytes:
    """A table of columns of equal length; of texts, if parquet has no type for the values."""
    lists = {str(name): cells for name, cells in columns.items() if isinstance(cells, list)}
    rows = min(map(len, lists.values()))
    equal = {name: cells[:rows] for name, cells in lists.items()}
    try:
        return written(equal, ending)
    except (pyarrow.ArrowException, UnicodeError, OverflowError):
        return written(
            {printable(name): list(map(printable, cells)) for name, cells in equal.items()}, ending
        )


def printable(value: object) -> str:
    """A value as text that is UTF-8."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def joined(tables: Mapping[str, Columns]) -> Columns:
    """The rows of all splits as one table."""
    names = tables["dev"]
    return {name: [cell for part in tables.values() for cell in part[name]] for name in names}


def write_case(folder: Path, rng: random.Random) -> TaskSpec:
    """Writes one table, or three of which one to three are damaged; returns the task."""
    ending = rng.choice(ENDINGS)
    labels, k_mers = rng.choice(LABELS), rng.random() < 0.2
    tables = {split: made_columns(split, labels, k_mers) for split in ROWS}
    kind = rng.choice(("column", "shares", "folder", "folder"))
    folder.mkdir()
    if kind == "folder":
        hurt = set(rng.sample(list(ROWS), rng.choice((1, 1, 1, 2, 3))))
        for split, columns in tables.items():
            data = damaged(columns, ending, rng) if split in hurt else written(columns, ending)
            (folder / f"{split}.{ending}").write_bytes(data)
        return TaskSpec(path=folder)
    whole = joined(tables)
    if kind == "shares":
        del whole["split"]
    (folder / f"all.{ending}").write_bytes(damaged(whole, ending, rng))
    return TaskSpec(path=folder / f"all.{ending}", split=SHARES if kind == "shares" else None)


def check_task(task: Task) -> None:
    """What holds for every task that is accepted."""
    classes = set(range(task.num_labels))
    assert task.num_labels >= 2
    assert set(task.train.labels) == classes
    assert len(task.classes) in (0, task.num_labels)
    for _, split in task.splits():
        assert len(split.sequences) == len(split.labels)
        assert len(set(split.labels)) >= 2
        assert set(split.labels) <= classes
        assert all(split.sequences)
        assert set("".join(split.sequences)) <= set("ACGTN")


def shown_in(task: Task, folder: Path) -> bool:
    """Whether each sequence is in the files, apart from spaces, case, compression and U for T."""
    texts = []
    for file in folder.iterdir():
        data = file.read_bytes()
        if file.suffix == ".parquet":
            return True
        texts.append((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).upper())
    whole = b"".join(texts).replace(b"U", b"T")
    if b" " in whole.replace(b'A ""QTOTED"", NOTE ', b""):
        return True  # k-mers
    return all(s.encode() in whole for _, split in task.splits() for s in split.sequences)


def test_damaged_tables_are_read_by_the_rules_or_refused_in_one_line(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(CASES):
        folder = tmp_path / str(seed)
        spec = write_case(folder, random.Random(seed))
        with time_limit(SECONDS, f"seed {seed}"):
            outcome = read_or_refused(spec)
        if isinstance(outcome, Task):
            check_task(outcome)
            assert shown_in(outcome, folder), f"seed {seed}"
        else:
            assert PATTERN.fullmatch(outcome), f"seed {seed}: {outcome}"
        outcomes["read" if isinstance(outcome, Task) else "refused"] += 1
        shutil.rmtree(folder)
    print(f"{CASES} folders of damaged tables: {dict(outcomes)}")  # noqa: T201
    assert min(outcomes.values()) > CASES // 10


def read_or_refused(spec: TaskSpec) -> Task | str:
    """The task, or the message that refuses it."""
    try:
        return load_task(spec)
    except InputError as error:
        return str(error)
