"""Splits of a user's own tables: from a column, and drawn by share and seed."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from study.spec import TaskSpec
from study.tasks import load_task
from tests.study.tasks.own_tables import GOOD, complaint, write_folder


@pytest.mark.parametrize("dev_name", ["dev", "validation", "val", "valid", " Dev "])
def test_a_single_csv_is_split_by_its_column(tmp_path, dev_name):
    rows = ["AC,0,train", "GT,1,train", "AA,0,test", "CC,1,test"]
    rows += [f"TT,0,{dev_name}", f"GG,1,{dev_name}"]
    path = tmp_path / "all.csv"
    path.write_text("sequence,label,split\n" + "\n".join(rows))

    task = load_task(TaskSpec(path=path))

    assert task.name == "all"
    assert task.train.sequences == ["AC", "GT"]
    assert task.dev.sequences == ["TT", "GG"]
    assert task.dev.labels == [0, 1]
    assert task.test.sequences == ["AA", "CC"]


def test_a_single_file_without_a_split_column_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(GOOD)
    message = complaint(path)
    assert "must have the splits train, dev and test, but got no dev and no test; " in message
    assert "; add a column split with train, dev and test, or draw" in message
    assert message.endswith("add --set task.split.dev=0.1 --set task.split.test=0.1")


def write_rows(path: Path, rows: int, columns: str = "sequence,label", more: str = "") -> Path:
    """Different sequences of two classes by turns; `more` are the cells of further columns."""
    letters = ["".join("ACGT"[row >> shift & 3] for shift in (0, 2, 4, 6)) for row in range(rows)]
    lines = [f"AA{word}C,{row % 2}{more}" for row, word in enumerate(letters)]
    path.write_text("\n".join([columns, *lines]))
    return path


def test_one_file_is_split_by_shares_and_a_seed(tmp_path):
    path = write_rows(tmp_path / "all.csv", 100)
    task = load_task(TaskSpec(path=path, split={"dev": 0.1, "test": 0.2}))

    assert [len(split) for _, split in task.splits()] == [70, 10, 20]
    assert task.quality.assignment.rows() == {"dev": 10, "test": 20}
    assert "drawn from train by task.split: 10 dev, 20 test" in task.quality.lines()
    assert task == load_task(TaskSpec(path=path, split={"dev": 0.1, "test": 0.2, "seed": 0}))
    other = load_task(TaskSpec(path=path, split={"dev": 0.1, "test": 0.2, "seed": 1}))
    assert other.dev != task.dev


def test_a_missing_dev_file_is_drawn_from_train(tmp_path):
    write_rows(tmp_path / "train.csv", 40)
    write_rows(tmp_path / "test.csv", 10)
    task = load_task(TaskSpec(path=tmp_path, split={"dev": 0.2}))
    assert [len(split) for _, split in task.splits()] == [32, 8, 10]


def test_a_share_of_a_split_that_the_data_have_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path), split={"dev": 0.2})
    assert message.startswith("task.split.dev: must be left out where dev has rows of its own,")

    path = tmp_path / "all.csv"
    path.write_text("sequence,label,split\nAC,0,train\nGT,1,train\nGG,1,test\nCC,0,test\n")
    message = complaint(path, split={"dev": 0.2, "test": 0.2})
    assert message.startswith("task.split.test: must be left out")


def test_a_split_column_has_the_name_given_in_the_spec(tmp_path):
    rows = ["AC,0,Training", "GT,1,train", "AA,0,Testing", "CC,1,test", "TT,0,Val", "GG,1,valid"]
    path = tmp_path / "all.tsv"
    path.write_text("\n".join(["sequence,label,fold", *rows]).replace(",", "\t"))

    assert "but got no dev and no test; add --set task.split.column=fold, or" in complaint(path)
    braces = path.with_name("braces.tsv")
    braces.write_text(path.read_text().replace("fold", "{a b}"))
    assert "; add --set 'task.split.column={a b}', or" in complaint(braces)
    task = load_task(TaskSpec(path=path, split={"column": "fold"}))
    assert task.train.sequences == ["AC", "GT"]
    assert task.dev.sequences == ["TT", "GG"]
    assert task.test.sequences == ["AA", "CC"]
    assert "must have a column 'set', but got sequence, label, fold; correct task.split" in (
        complaint(path, split={"column": "set"})
    )


def test_a_split_column_of_a_folder_causes_a_warning(tmp_path):
    task = load_task(TaskSpec(path=write_folder(tmp_path), split={"column": "fold"}))
    assert task.warnings == ["task.split.column is not used: the files of a folder are its splits"]


def write_genes(path: Path, genes: int = 30, per_gene: int = 4) -> Path:
    """Rows of different sequences with columns chrom (chr1 to chr5) and gene."""
    rng = random.Random(3)
    lines = [
        f"{''.join(rng.choices('ACGT', k=30))},{(gene + row) % 2},chr{gene % 5 + 1},gene{gene}"
        for gene in range(genes)
        for row in range(per_gene)
    ]
    path.write_text("\n".join(["sequence,label,chrom,gene", *lines]))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_chromosomes_become_splits_and_all_others_train(tmp_path):
    path = write_genes(tmp_path / "all.csv")
    task = load_task(
        TaskSpec(path=path, split={"column": "chrom", "dev": ["chr2"], "test": ["chr4", "chr5"]})
    )
    of = {row["sequence"]: row["chrom"] for row in rows_of(path)}
    assert {of[s] for s in task.train.sequences} == {"chr1", "chr3"}
    assert {of[s] for s in task.dev.sequences} == {"chr2"}
    assert {of[s] for s in task.test.sequences} == {"chr4", "chr5"}
    assert [len(split) for _, split in task.splits()] == [48, 24, 48]
    assert "drawn from train by task.split: 24 dev (chr2), 48 test (chr4, chr5)" in (
        task.quality.lines()
    )
    record = task.quality.record()["assignment"]
    assert record["values"] == {"dev": {"chr2": 24}, "test": {"chr4": 24, "chr5": 24}}


def test_the_header_of_a_bed_file_may_begin_with_a_hash(tmp_path):
    path = tmp_path / "all.tsv"
    rows = ["chr1,5,AC,0", "chr1,6,GT,1", "chr2,7,AA,0", "chr2,8,CC,1", "X,9,TT,0", "X,9,GG,1"]
    path.write_text("\n".join(["#chrom,start,sequence,label", *rows]).replace(",", "\t"))
    task = load_task(
        TaskSpec(path=path, split={"column": "chrom", "dev": ["X"], "test": ["chr2"]})
    )
    assert [part.sequences for _, part in task.splits()] == [
        ["AC", "GT"],
        ["TT", "GG"],
        ["AA", "CC"],
    ]


def test_dev_may_be_a_share_of_what_values_leave(tmp_path):
    path = write_genes(tmp_path / "all.csv")
    task = load_task(TaskSpec(path=path, split={"column": "chrom", "dev": 0.25, "test": ["chr1"]}))
    assert [len(split) for _, split in task.splits()] == [72, 24, 24]
    of = {row["sequence"]: row["chrom"] for row in rows_of(path)}
    assert "chr1" not in {of[s] for s in [*task.train.sequences, *task.dev.sequences]}


def test_values_draw_from_the_train_file_of_a_folder(tmp_path):
    write_genes(tmp_path / "train.csv")
    (tmp_path / "test.csv").write_text(GOOD)
    split = {"column": "chrom", "dev": ["chr3"]}
    task = load_task(TaskSpec(path=tmp_path, split=split))
    assert [len(part) for _, part in task.splits()] == [96, 24, 2]
    message = complaint(tmp_path, split=split | {"test": ["chr1"]})
    assert message.startswith(
        "task.split.test: must be left out where test has rows of its own, b"
    )
    assert "but got chr1 with" in message


@pytest.mark.parametrize(
    ("split", "fault"),
    [
        ({"column": "chrom", "dev": ["chr8"], "test": ["chr9", "chr1"]},
         "task.split.dev: must be values of column chrom, but got chr8, chr9, and the column has "
         "chr1, chr2, chr3, chr4, chr5; correct task.split"),
        ({"column": "chrom", "dev": ["chr1"], "test": ["chr2", "chr3", "chr4", "chr5"]},
         "must leave values of column chrom to train, but got all of them, chr1, chr2"),
        ({"column": "chr", "dev": ["chr1"], "test": ["chr2"]},
         "must have a column 'chr', but got sequence, label, chrom, gene; correct task.split.col"),
        ({"group": "genes", "dev": 0.1, "test": 0.1},
         "must have a column 'genes', but got sequence, label, chrom, gene; correct task.split"),
        ({"column": "chrom"},
         "chrom must be train, dev or test, but got 'chr1' (lines 2, 3, 4, 5, 6 and 115 more); "
         "correct them, or say which values are a split: task.split.dev and task.split.test"),
        ({"column": "chrom", "dev": ["chr1"]}, "but got no test; "),
        ({"group": "label", "dev": 0.1, "test": 0.1},
         "task.split.group: column label must have 3 groups or more that share no sequence, but "
         "got 2; choose another column"),
    ],
)  # fmt: skip
def test_a_split_that_does_not_fit_the_columns_is_refused(tmp_path, split, fault):
    assert fault in complaint(write_genes(tmp_path / "all.csv"), split=split)


def test_a_class_that_only_a_chromosome_of_test_has_is_named(tmp_path):
    path = tmp_path / "all.csv"
    rows = ["AC,a,1", "GT,b,1", "AA,a,2", "CC,b,2", "TT,a,3", "GG,rare,3"]
    path.write_text("\n".join(["sequence,label,chrom", *rows]))
    message = complaint(path, split={"column": "chrom", "dev": [2], "test": [3]})
    assert "test must have only labels of train, a, b, but got rare; add rows of it" in message


def test_groups_stay_together_in_shares_that_depend_on_nothing_but_the_seed(tmp_path):
    path = write_genes(tmp_path / "all.csv")
    split = {"group": "gene", "dev": 0.2, "test": 0.1}
    task = load_task(TaskSpec(path=path, split=split))
    of = {row["sequence"]: row["gene"] for row in rows_of(path)}
    genes = {name: {of[s] for s in part.sequences} for name, part in task.splits()}
    assert [len(part) for _, part in task.splits()] == [84, 24, 12]
    assert [len(genes[name]) for name in ("train", "dev", "test")] == [21, 6, 3]
    assert len(set().union(*genes.values())) == 30
    assert "drawn from train by task.split: 24 dev (of 6 groups), 12 test (of 3 groups)" in (
        task.quality.lines()
    )
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *lines[::-1]]))
    turned = load_task(TaskSpec(path=path, split=split))
    assert {of[s] for s in turned.dev.sequences} == genes["dev"]
    assert turned.quality.assignment.splits == task.quality.assignment.splits[::-1]
    other = load_task(TaskSpec(path=path, split=split | {"seed": 1}))
    assert {of[s] for s in other.dev.sequences} != genes["dev"]


def test_groups_that_share_a_sequence_are_joined_and_a_group_must_have_a_name(tmp_path):
    path = tmp_path / "all.csv"
    rows = ["ACCC,0,a", "GGGT,1,b", "AA,0,c", "CC,1,c", "TA,0,d", "CG,1,d", "TCTC,0,b"]
    path.write_text("\n".join(["sequence,label,gene", *rows]))
    for seed in range(8):  # ACCC of a is GGGT of b on the other strand.
        split = {"group": "gene", "dev": 0.3, "test": 0.3, "seed": seed}
        assignment = load_task(TaskSpec(path=path, split=split)).quality.assignment.splits
        assert len({assignment[row] for row in (0, 1, 6)}) == 1
    path.write_text(path.read_text().replace(",d", ","))
    assert "all.csv:6: gene must not be empty, but got '' (lines 6, 7)" in complaint(
        path, split=split
    )
