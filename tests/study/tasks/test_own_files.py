"""Reading a user's own tables: accepted files, and the one-line error of every fault."""

from __future__ import annotations

import gzip
import io
import os

import pandas
import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import Split, load_task
from tests.study.tasks.own_tables import GOOD, SPLITS, complaint, write_folder


def test_a_folder_is_read_row_by_row(tmp_path):
    task = load_task(TaskSpec(path=write_folder(tmp_path / "mine")))

    assert task.name == "mine"
    assert task.num_labels == 2
    assert task.train.sequences == ["ACGT", "GGCC"]
    assert task.train.labels == [0, 1]
    assert task.dev.sequences == ["AAAA", "CCCC"]
    assert task.test.labels == [0, 1]
    assert task.warnings == []


def test_columns_have_the_names_given_in_the_spec(tmp_path):
    text = "id,y,dna\n7,{},{}\n8,{},{}\n"
    folder = write_folder(
        tmp_path,
        train=text.format(0, "AC", 1, "GT"),
        dev=text.format(0, "AA", 1, "GG"),
        test=text.format(1, "CC", 0, "TT"),
    )

    task = load_task(TaskSpec(path=folder, columns={"sequence": "dna", "label": "y"}))

    assert task.train.sequences == ["AC", "GT"]
    assert task.test.labels == [1, 0]


def test_lower_case_whitespace_blank_lines_bom_and_crlf_are_accepted(tmp_path):
    messy = "\ufeff\n\r\n sequence , label \r\n acgtn , 0 \r\n\r\nGGcc,1\r\n"
    task = load_task(TaskSpec(path=write_folder(tmp_path, train=messy)))

    assert task.train.sequences == ["ACGTN", "GGCC"]
    assert task.train.labels == [0, 1]


def test_letters_that_spell_a_missing_value_are_a_sequence(tmp_path):
    task = load_task(TaskSpec(path=write_folder(tmp_path, train="sequence,label\nNAN,0\nNA,1\n")))
    assert task.train.sequences == ["NAN", "NA"]


def test_quoted_fields_are_read_as_csv(tmp_path):
    quoted = '"sequence","note","label"\n"AC","a, b","0"\n"GT","c","1"\n'
    task = load_task(TaskSpec(path=write_folder(tmp_path, train=quoted)))

    assert task.train.sequences == ["AC", "GT"]


def test_more_than_two_classes_are_counted(tmp_path):
    train = "sequence,label\nAC,0\nGT,1\nCC,2\n"
    task = load_task(TaskSpec(path=write_folder(tmp_path, train=train)))

    assert task.num_labels == 3
    assert "dev has no row of class 2" in task.warnings
    assert "test has no row of class 2" in task.warnings


def test_a_path_that_does_not_exist_is_named(tmp_path):
    nowhere = tmp_path / "nowhere"
    assert f"but got {nowhere}, which does not exist" in complaint(nowhere)


def test_a_path_that_the_system_rejects_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"task.path: .*must be readable, but got: File name too long"
    ):
        load_task(TaskSpec(path=tmp_path / ("x" * 5000)))


def test_a_task_has_the_name_of_its_folder_with_dots(tmp_path):
    assert load_task(TaskSpec(path=write_folder(tmp_path / "h3.v2"))).name == "h3.v2"


def test_the_error_for_a_folder_without_dev_names_the_fix(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "dev.csv").unlink()
    message = complaint(folder)
    assert "must have the splits train, dev and test, but got no dev; add dev.csv" in message
    assert message.endswith("or draw rows of train: add --set task.split.dev=0.1")


def test_an_empty_folder_is_refused(tmp_path):
    message = complaint(tmp_path)
    assert "but got an empty folder; add train.csv, dev.csv and test.csv with the" in message


@pytest.mark.parametrize(
    ("files", "step"),
    [
        (["dev.fastq", "train.fastq"], "convert them to FASTA, with labels"),
        (["train.jsonl"], "write each as csv with the columns dna,y"),
        (["all.xlsx"], "save each sheet as csv"),
        (["train.txt"], "rename tables to .tsv (tabs) or .csv (commas)"),
        (["data.tar.gz"], "unpack them"),
        (["dev.csv", "test.csv"], "add it"),
        (["notes.md", "rows.tsv.gz"], "name the files by split, or set task.path={}/rows.tsv.gz"),
        (["a/x.txt", "b/train.csv"], "set task.path to one of the folders, e.g. {}/b"),
    ],
)
def test_a_folder_without_train_lists_what_is_there_and_the_step(tmp_path, files, step):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    message = complaint(tmp_path, columns={"sequence": "dna", "label": "y"})
    assert f"but got {', '.join(name.split('/')[0] for name in files)}; " in message
    assert message.endswith(f"; {step.format(tmp_path)}")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("all.XLSX", "save each sheet as csv"),
        ("a.json", "write each as csv with the columns dna,y"),
    ],
)
def test_a_file_of_another_format_is_refused_with_the_step(tmp_path, name, step):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    message = complaint(tmp_path / name, columns={"sequence": "dna", "label": "y"})
    assert message.endswith(f"but got another format; {step}")


def test_an_empty_csv_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, dev=""))
    assert "dev.csv: must have a header and rows, but got an empty file" in message


def test_a_header_without_rows_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, test="sequence,label\n"))
    assert "test.csv: must have rows below the header" in message


def test_the_error_for_missing_columns_lists_the_existing_ones(tmp_path):
    message = complaint(write_folder(tmp_path, train="seq,y\nAC,0\n"))
    assert "train.csv:1: must have the columns 'sequence', 'label', but got seq, y;" in message
    assert (
        "; name them in the first line, or set task.columns.sequence and task.columns" in message
    )
    assert message.count("task.columns.label") == 1

    message = complaint(write_folder(tmp_path), columns={"label": "target"})
    assert "'target', but got sequence, label" in message


@pytest.mark.parametrize("separator", [" ", "|", ":"])
def test_another_separator_is_named(tmp_path, separator):
    message = complaint(write_folder(tmp_path, train=GOOD.replace(",", separator)))
    rule = "train.csv:1: columns must be separated by a comma, a tab or a semicolon, but got"
    assert f"{rule} sequence{separator}label; write one of these" in message


def test_a_file_without_a_header_is_refused_in_a_short_line(tmp_path):
    message = complaint(write_folder(tmp_path, train=f"{'ACGT' * 200},0\n{'AG' * 400},1\n"))
    assert f"must have the columns 'sequence', 'label', but got {'ACGT' * 10}.., 0; " in message
    assert len(message) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "TSV.gz"])
def test_the_header_tells_the_separator_and_the_bytes_the_compression(tmp_path, separator, ending):
    for split, text in SPLITS.items():
        data = text.replace(",", separator).encode()
        packed = gzip.compress(data) if ending.endswith("gz") else data
        (tmp_path / f"{split}.{ending}").write_bytes(packed)

    task = load_task(TaskSpec(path=tmp_path))
    assert task.train == Split(["ACGT", "GGCC"], [0, 1])
    assert task.test == Split(["TATA", "CGCG"], [0, 1])


def test_parquet_is_read_by_the_same_rules(tmp_path):
    for split, text in SPLITS.items():
        table = pandas.read_csv(io.StringIO(text)).astype({"label": float})
        table.assign(odd=[[1], []]).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    assert load_task(TaskSpec(path=tmp_path)).train == Split(["ACGT", "GGCC"], [0, 1])

    table.assign(label=[True, False]).to_parquet(tmp_path / "all.parquet")
    message = complaint(tmp_path / "all.parquet")
    assert "all.parquet: must have the splits train, dev and test, but got no dev and" in message


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Dev", "DEVELOPMENT"])
def test_dev_has_its_usual_names(tmp_path, name):
    folder = write_folder(tmp_path)
    (folder / "dev.csv").rename(folder / f"{name}.csv")
    assert load_task(TaskSpec(path=folder)).dev.sequences == ["AAAA", "CCCC"]


@pytest.mark.parametrize("other", ["val.csv", "dev.tsv", "Dev.csv.gz", "validation.parquet"])
def test_two_files_for_one_split_are_refused(tmp_path, other):
    folder = write_folder(tmp_path)
    (folder / other).write_text(GOOD)
    message = complaint(folder)
    assert "must have one file for dev, but got " in message
    assert "dev.csv" in message
    assert other in message


def test_overlapping_k_mers_are_joined(tmp_path):
    train = "sequence\tlabel\nACG cgt GTN\t0\nA C G\t1\nTTT\t1\n"
    assert load_task(TaskSpec(path=write_folder(tmp_path, train=train))).train.sequences == [
        "ACGTN",
        "ACG",
        "TTT",
    ]


@pytest.mark.parametrize("cell", ["AC GT", "ACG CG", "ACG CGT TTA", "AC\u00a0GG"])
def test_other_spaces_in_a_sequence_are_refused(tmp_path, cell):
    message = complaint(write_folder(tmp_path, train=f"sequence,label\n{cell},0\nGT,1\n"))
    assert "train.csv:2: a sequence with spaces must be k-mers, each of which begins" in message


def test_a_field_may_be_longer_than_the_csv_module_allows_by_default(tmp_path):
    long = "ACGT" * 50_000
    train = f"sequence,label,note\n{long},0,{long}\nGT,1,\n"
    assert load_task(TaskSpec(path=write_folder(tmp_path, train=train))).train.sequences[0] == long


def test_columns_that_are_not_wanted_are_not_judged(tmp_path):
    folder = write_folder(tmp_path)
    train = b"sequence,label,note,note,n\xe9\nACGT,0,caf\xe9,\x00\x1b,\nGGCC,1,,,,,\n"
    (folder / "train.csv").write_bytes(train)
    assert load_task(TaskSpec(path=folder)).train == Split(["ACGT", "GGCC"], [0, 1])


def test_a_duplicate_column_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label,label\nAC,0,1\n"))
    assert "column 'label' must be in the header once, but got it 2 times" in message


def test_ragged_rows_are_named_by_line(tmp_path):
    train = "sequence,label\nAC,0\nGT\nGG,1,9\nCC,1\n"
    message = complaint(write_folder(tmp_path, train=train))
    assert "train.csv:3: every row must have the header's 2 fields" in message
    assert "but got other numbers in lines 3, 4;" in message


def test_an_open_quote_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train='sequence,label\n"AC,0\nGT,1\n'))
    assert "train.csv:3: must be valid csv" in message


@pytest.mark.parametrize("label", ["1.5", "-1", "yes", "", "1e3", "²", "9" * 5000, "nan"])
def test_labels_that_are_not_whole_numbers_are_refused(tmp_path, label):
    train = f"sequence,label\nAC,0\nGT,{label}\nCC,1\n"
    message = complaint(write_folder(tmp_path, train=train))
    assert "train.csv:3: label must be a whole number 0, 1, .." in message
    assert "(line 3)" in message
    assert len(message) < 300 + len(str(tmp_path))


def test_classes_must_be_numbered_from_zero_without_a_gap(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label\nAC,1\nGT,2\n"))
    assert "train must have rows of every class, but got none of class 0, which dev has" in message
    message = complaint(write_folder(tmp_path, train="sequence,label\nAC,0\nGT,1\nGG,3\n"))
    assert "but got none of 2 (largest label 3)" in message


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_class_that_train_lacks_is_refused(tmp_path, split):
    folder = write_folder(tmp_path, **{split: "sequence,label\nAC,0\nGT,2\n"})
    assert f"{split} must have only labels of train, 0..1, but got 2" in complaint(folder)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_split_with_a_single_class_is_refused(tmp_path, split):
    folder = write_folder(tmp_path, **{split: "sequence,label\nAC,0\nGT,0\n"})
    assert f"{split} must have two classes or more" in complaint(folder)


def test_letters_outside_the_alphabet_are_counted_and_refused_with_their_lines(tmp_path):
    rows = [f"AC{letter},{i % 2}" for i, letter in enumerate("AURYé*CXGKR")]
    message = complaint(write_folder(tmp_path, train="sequence,label\n" + "\n".join(rows)))
    assert "train.csv:4: a sequence must consist of A, C, G, T (or U) and N, but got" in message
    assert (
        "but got 'R' 2, 'Y' 1, 'É' 1, '*' 1, 'X' 1, 'K' 1 (lines 4, 5, 6, 7, 9 and 2 m" in message
    )


@pytest.mark.parametrize(
    ("cells", "end"),
    [
        (["ACRYS", "AC"], "'R' 1, 'Y' 1, 'S' 1 (line 2); write N for ambiguous bases, or remove"),
        (["AC-GT--", "AC"], "'-' 3 (line 2); remove the gaps of the alignment"),
        (["MKLVEF", "AC"], "(line 2); give DNA or RNA if these are proteins, or remove these ro"),
        (["AB" + "0123456789", "C"], "'6' 1 and 3 others (line 2); write N for ambiguous bases"),
    ],
)
def test_the_step_depends_on_the_letters(tmp_path, cells, end):
    rows = [f"{cell},{row}" for row, cell in enumerate(cells)]
    message = complaint(write_folder(tmp_path, train="\n".join(["sequence,label", *rows])))
    assert end in message


def test_rna_is_read_as_dna_and_both_in_one_sequence_are_refused(tmp_path):
    folder = write_folder(tmp_path, train="sequence,label\nacgu,0\nUUN,1\nGT,0\n")
    task = load_task(TaskSpec(path=folder))
    assert task.train.sequences == ["ACGT", "TTN", "GT"]
    assert task.warnings == ["train: 2 sequences of RNA: U is read as T"]
    assert task.quality.lines()[-1] == "sequences of RNA, in which U is read as T: 2 train"

    message = complaint(write_folder(tmp_path, dev="sequence,label\nACU,0\nTCU,1\nAUT,0\n"))
    assert (
        "dev.csv:3: a sequence must have T (DNA) or U (RNA), but got both (lines 3, 4)" in message
    )


def test_empty_sequences_are_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label\nAC,0\n  ,1\n"))
    assert "train.csv:3: a sequence must not be empty" in message


def test_other_encodings_are_refused(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "train.csv").write_bytes("sequence,label\nAC,né\nGT,oui\n".encode("latin-1"))
    assert "train.csv:2: label must be UTF-8 text, but got 'byte 0xe9'" in complaint(folder)
    (folder / "train.csv").write_bytes(GOOD.encode("utf-16"))
    assert "train.csv:1: must be UTF-8 text, but got byte 0xff" in complaint(folder)


@pytest.mark.parametrize("cut", [5, 15, 30])
def test_damaged_compressed_files_are_refused(tmp_path, cut):
    folder = write_folder(tmp_path)
    (folder / "dev.csv").write_bytes(gzip.compress(GOOD.encode())[:cut])
    assert "dev.csv: must be a readable file, but got: Compressed file ended" in complaint(folder)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "train.csv").unlink()
    (folder / "train.csv").mkdir()
    assert "train.csv: must be a readable file, but got: Is a directory" in complaint(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_refused(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "train.csv").chmod(0)
    assert "train.csv: must be a readable file, but got: Permission denied" in complaint(folder)


def test_unknown_and_absent_splits_are_refused(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text("sequence,label,split\nAC,0,train\nGT,1,holdout\n")
    message = complaint(path)
    assert "all.csv:3: split must be train, dev or test, but got 'holdout'" in message

    path.write_text("sequence,label,split\nAC,0,train\nGT,1,test\n")
    message = complaint(path)
    assert "all.csv: must have the splits train, dev and test, but got no dev; " in message
    assert "; assign rows to dev in column split, or draw rows of train: add --set" in message

    path.write_text("sequence,label,split\nAC,0,dev\nGT,1,test\n")
    assert "column split must have rows of train, but got only dev, test;" in complaint(path)


def test_a_path_that_is_neither_a_file_nor_a_folder_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "pipe, which is neither; correct it" in complaint(tmp_path / "pipe")
