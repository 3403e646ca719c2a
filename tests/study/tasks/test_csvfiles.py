"""Reading csv tasks: accepted files, and the one-line error of every fault."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.tasks import load_task

GOOD = "sequence,label\nACGT,0\nGGCC,1\n"


def write_folder(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    contents = {
        "train": GOOD,
        "dev": "sequence,label\nAAAA,0\nCCCC,1\n",
        "test": "sequence,label\nTATA,0\nCGCG,1\n",
    }
    for name, text in (contents | files).items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def complaint(path: Path, **settings: str) -> str:
    with pytest.raises(InputError) as caught:
        load_task(TaskSpec(path=path, **settings))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message or path.name in message
    return message


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

    task = load_task(TaskSpec(path=folder, sequence_column="dna", label_column="y"))

    assert task.train.sequences == ["AC", "GT"]
    assert task.test.labels == [1, 0]


def test_lower_case_whitespace_blank_lines_bom_and_crlf_are_accepted(tmp_path):
    messy = "\ufeff sequence , label \r\n acgtn , 0 \r\n\r\nGGcc,1\r\n"
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
    assert "but got test.csv, train.csv without dev.csv; move a" in message
    assert "random tenth" in message

    (folder / "validation.csv").write_text(GOOD)
    assert "rename validation.csv to dev.csv" in complaint(folder)


def test_a_folder_without_csv_files_is_refused(tmp_path):
    message = complaint(tmp_path)
    assert "but got no csv file without train.csv, dev.csv, test.csv; " in message


def test_an_empty_csv_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, dev=""))
    assert "dev.csv: must have a header and rows, but got an empty file" in message


def test_a_header_without_rows_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, test="sequence,label\n"))
    assert "test.csv: must have rows below the header" in message


def test_the_error_for_missing_columns_lists_the_existing_ones(tmp_path):
    message = complaint(write_folder(tmp_path, train="seq,y\nAC,0\n"))
    assert "train.csv:1: must have the columns 'sequence', 'label', but got seq, y;" in message
    assert "task.sequence_column" in message

    message = complaint(write_folder(tmp_path), label_column="target")
    assert "task.label_column" in message
    assert "'target', but got sequence, label" in message


def test_tabs_and_semicolons_are_recognised(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence;label\nAC;0\n"))
    assert "separate the columns by commas" in message
    message = complaint(write_folder(tmp_path, train="sequence\tlabel\nAC\t0\n"))
    assert "separate the columns by commas" in message


def test_a_duplicate_column_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label,label\nAC,0,1\n"))
    assert "column 'label' must be in the header once, but got it 2 times" in message


def test_a_single_file_without_a_split_column_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(GOOD)
    message = complaint(path)
    assert "must have a column 'split'" in message
    assert "task.split_column" in message
    assert "or give the folder" in message


def test_ragged_rows_are_named_by_line(tmp_path):
    train = "sequence,label\nAC,0\nGT\nGG,1,9\nCC,1\n"
    message = complaint(write_folder(tmp_path, train=train))
    assert "train.csv:3: every row must have the header's 2 fields" in message
    assert "but got other numbers in lines 3, 4;" in message


def test_an_open_quote_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train='sequence,label\n"AC,0\nGT,1\n'))
    assert "train.csv:3: must be valid csv" in message


@pytest.mark.parametrize("label", ["1.0", "-1", "yes", "", "1e3", "²", "9" * 5000])
def test_labels_that_are_not_whole_numbers_are_refused(tmp_path, label):
    train = f"sequence,label\nAC,0\nGT,{label}\nCC,1\n"
    message = complaint(write_folder(tmp_path, train=train))
    assert "train.csv:3: label must be a whole number 0, 1, .." in message
    assert "(line 3)" in message
    assert len(message) < 300 + len(str(tmp_path))


def test_classes_must_be_numbered_from_zero_without_a_gap(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label\nAC,1\nGT,2\n"))
    assert "but got none of 0 (largest label 2); number the classes from 0" in message
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


def test_letters_outside_the_alphabet_are_refused_with_their_lines(tmp_path):
    rows = [f"AC{letter},{i % 2}" for i, letter in enumerate("AURYé*CXGK")]
    message = complaint(write_folder(tmp_path, train="sequence,label\n" + "\n".join(rows)))
    assert "train.csv:3: a sequence must consist of A, C, G, T and N, but got 'U'" in message
    assert "(lines 3, 4, 5, 6, 7 and 2 more)" in message


def test_whitespace_inside_a_sequence_is_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label\nAC GT,0\nGT,1\n"))
    assert "but got ' '" in message


def test_empty_sequences_are_refused(tmp_path):
    message = complaint(write_folder(tmp_path, train="sequence,label\nAC,0\n  ,1\n"))
    assert "train.csv:3: a sequence must not be empty" in message


def test_other_encodings_are_refused(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "train.csv").write_bytes("sequence,label,né\n".encode("latin-1"))
    assert "train.csv: must be UTF-8 text, but got byte 0xe9" in complaint(folder)
    (folder / "train.csv").write_bytes(GOOD.encode("utf-16"))
    assert "train.csv: must be UTF-8 text" in complaint(folder)


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
    assert "but got none of dev;" in complaint(path)
