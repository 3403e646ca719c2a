"""FASTA: its sequences, and labels from headers or from a table beside it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.spec.task import ColumnsSpec
from study.tasks import Split, load_task
from study.tasks.reading import read_sequences
from tests.study.tasks.own_tables import complaint

DEV, TEST = ">a|label=0\nAAAA\n>b|label=1\nCCCC\n", ">a|label=0\nTATA\n>b|label=1\nCGCG\n"


def write_fasta(folder: Path, train: str, ending: str = "fa") -> Path:
    for split, text in (("train", train), ("dev", DEV), ("test", TEST)):
        (folder / f"{split}.{ending}").write_text(text)
    return folder


def test_sequences_on_many_lines_in_lower_case_with_bom_and_crlf_are_read(tmp_path):
    text = "\ufeff>one label=0 other text\r\nacg\r\nTN\r\n\r\n>two label=1\r\nGG\r\n CC \r\n"
    task = load_task(TaskSpec(path=write_fasta(tmp_path, text)))
    assert task.train == Split(["ACGTN", "GGCC"], [0, 1])
    assert task.test.labels == [0, 1]


@pytest.mark.parametrize("ending", ["fa", "fasta", "fna", "FA", "fa.gz", "fasta.gz", "fna.gz"])
def test_the_ending_says_that_a_file_is_fasta(tmp_path, ending):
    text = b">one|0\nAC\n>two|1\nGG\n"
    path = tmp_path / f"all.{ending}"
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    rows = read_sequences(path, ColumnsSpec())
    assert (rows.ids, rows.sequences, rows.labels) == (
        ["one|0", "two|1"],
        ["AC", "GG"],
        ["0", "1"],
    )


@pytest.mark.parametrize(
    ("headers", "name", "labels"),
    [
        ("a label=0, b label=1", "label", ["0", "1"]),
        ("chr1:5|label=no;x=2, chr1:6|label=yes", "label", ["no", "yes"]),
        ("a class=1 label=3, b class=0 label=4", "class", ["1", "0"]),
        ("a|0, b|1", "label", ["0", "1"]),
        ("a 0, b 1.0", "label", ["0", "1.0"]),
        ("a x|1, b;0", "y", ["1", "0"]),
        ("a_enhancer_1, b_none_2", r"_([a-z]+)_\d", ["enhancer", "none"]),
        ("a|enhancer, b|none", r"\|(\w+)$", ["enhancer", "none"]),
    ],
)
def test_labels_are_a_field_of_the_header_the_number_at_its_end_or_a_group(
    tmp_path, headers, name, labels
):
    (tmp_path / "x.fa").write_text("".join(f">{h}\nAC\n" for h in headers.split(", ")))
    assert read_sequences(tmp_path / "x.fa", ColumnsSpec(label=name)).labels == labels


def test_fields_of_headers_are_columns(tmp_path):
    (tmp_path / "x.fa").write_text(">a label=0 chrom=chr1\nAC\n>b label=1\nGG\n")
    rows = read_sequences(tmp_path / "x.fa", ColumnsSpec(sequence="dna"))
    assert rows.table.cells == {
        "label": ["0", "1"], "chrom": ["chr1", ""], "id": ["a", "b"], "dna": ["AC", "GG"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "name", "found"),
    [
        ("seq1, seq2, seq3", "label", "but got '>seq1' and '>seq2'; add them"),
        ("seq1|enhancer, seq2|none", "label", "`>name label=1` or `>name|1`, but got '>seq1|enh"),
        ("1, 2", "label", "but got '>1' and '>2'"),
        (f"{'x' * 99}", "y", f"`>name y=1` or `>name|1`, but got '>{'x' * 39}..'; add them"),
        ("a 1, b one", "label", "but got '>a 1' and '>b one'"),
        ("a label=1, b", "label", "2 labels"),
        ("a|x", "(no)", "but got '>a|x'; add them, write a table x.csv with the columns id,label"),
        ("a|x", "(no", "label: must be a key or a regular expression with one group, but got"),
        (
            "a|x",
            "(a)(b)",
            "must be a key or a regular expression with one group, but got '(a)(b)'",
        ),
    ],
)
def test_fasta_without_labels_is_refused_with_its_headers(tmp_path, headers, name, found):
    (tmp_path / "x.fa").write_text("".join(f">{h}\nAC\n" for h in headers.split(", ")))
    if found == "2 labels":
        message = complaint(tmp_path / "x.fa", split={"dev": 0.1, "test": 0.1})
        assert "x.fa:3: label must be a whole number" in message
        return
    with pytest.raises(InputError) as caught:
        read_sequences(tmp_path / "x.fa", ColumnsSpec(label=name))
    assert found in str(caught.value)
    if "label:" not in found and "(a)" not in found:
        assert read_sequences(tmp_path / "x.fa", ColumnsSpec(), labelled=False).labels is None


@pytest.mark.parametrize("table", ["x.csv", "x.tsv", "labels.csv", "labels.tsv.gz"])
def test_labels_and_columns_are_taken_from_a_table_beside_it(tmp_path, table):
    (tmp_path / "x.fa").write_text(">a text\nAC\n>b\nGG\n")
    text = b"chrom,label,id\nchr2,1,b\nchr1,0,a\nchr3,1,c\n"
    (tmp_path / table).write_bytes(gzip.compress(text) if table.endswith("gz") else text)
    rows = read_sequences(tmp_path / "x.fa", ColumnsSpec())
    assert (rows.labels, rows.table.cells["chrom"]) == (["0", "1"], ["chr1", "chr2"])
    assert read_sequences(tmp_path / "x.fa", ColumnsSpec(), labelled=False).labels is None


@pytest.mark.parametrize(
    ("fasta", "table", "fault"),
    [
        (
            ">a\nAC\n",
            "id,label\nb,1\n",
            "x.csv: must have a row for each sequence of x.fa, but got",
        ),
        (">a\nAC\n>a\nAC\n", "id,label\na,1\n", "x.fa: each name must have one sequence, but got"),
        (">a\nAC\n", "id,label\na,1\na,1\n", "x.csv: each name must have one row, but got more f"),
        (">a\nAC\n", "name,label\na,1\n", "name the column of x.fa's names in the first line, or"),
        (">a\nAC\n", "id,y\na,1\n", "x.fa:1: sequences must have labels"),
        (">a\nAC\n", "id,label\n,1\n", "x.csv:2: id must not be empty"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, fasta, table, fault):
    (tmp_path / "x.fa").write_text(fasta)
    (tmp_path / "x.csv").write_text(table)
    with pytest.raises(InputError) as caught:
        read_sequences(tmp_path / "x.fa", ColumnsSpec())
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "x.fa: must have sequences, but got an empty file"),
        ("sequence,label\nAC,0\n", "x.fa:1: FASTA must begin with > and a name, but got 'seque"),
        ("@a\nAC\n+\nII\n", "but got '@a'; convert FASTQ to FASTA"),
        (">a|0\nAC\n>b|1\n>c|0\nGG\n", "x.fa:3: a sequence must not be empty"),
        (">a|0\nAC\n>b|1\nMEEPQ\n", "x.fa:3: a sequence must consist of A, C, G, T (or U)"),
    ],
)
def test_what_is_not_fasta_of_dna_is_refused(tmp_path, text, fault):
    (tmp_path / "x.fa").write_text(text)
    assert fault in complaint(tmp_path / "x.fa")


def test_a_folder_may_have_fasta_files_and_tables_of_their_labels(tmp_path):
    folder = write_fasta(tmp_path, ">a\nAC\n>b\nGG\n")
    (folder / "train.csv").write_text("id,label\na,0\nb,1\n")
    assert load_task(TaskSpec(path=folder)).train == Split(["AC", "GG"], [0, 1])

    (folder / "train.csv").write_text("id,sequence,label\na,AC,0\nb,GG,1\n")
    message = complaint(folder)
    assert "must have one file for train, but got train.fa and train.csv; move one" in message
