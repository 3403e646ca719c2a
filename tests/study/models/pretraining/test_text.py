import gzip

import pytest

from study.errors import InputError
from study.models.pretraining.text import data_files, load_text, pieces, reverse_complement
from tests.study.models.checkpoints import random_dna


def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence():
    assert reverse_complement("AACGTN") == "NACGTT"
    assert reverse_complement(reverse_complement(random_dna(1, 99)[0])) == random_dna(1, 99)[0]


def test_plain_and_gzipped_files_read_alike(tmp_path):
    (tmp_path / "a.txt").write_text("acgt\n\nGGNN\nTTTT\n")
    with gzip.open(tmp_path / "b.txt.gz", "wt") as handle:
        handle.write("acgt\n\nGGNN\nTTTT\n")
    (tmp_path / "notes.md").write_text("not data")
    texts = [load_text([path], 0.3, seed=0) for path in data_files([tmp_path])]
    assert texts[0] == texts[1]
    assert sorted(texts[0].train + texts[0].held_out) == ["ACGT", "GGNN", "TTTT"]


def test_the_same_fraction_of_every_file_is_held_out(tmp_path):
    for name, letter in (("a.txt", "A"), ("b.txt", "C")):
        (tmp_path / name).write_text("\n".join(letter * (i + 1) for i in range(100)))
    text = load_text(data_files([tmp_path]), 0.1, seed=3)
    assert [sum(line[0] == letter for line in text.held_out) for letter in "AC"] == [10, 10]
    assert not set(text.train) & set(text.held_out)
    assert text == load_text(data_files([tmp_path]), 0.1, seed=3)
    assert text != load_text(data_files([tmp_path]), 0.1, seed=4)


def test_a_letter_other_than_acgtn_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.txt").write_text("ACGT\n>chr1\n")
    with pytest.raises(InputError, match=r"a\.txt:2: letters must be A, C, G, T or N"):
        load_text([tmp_path / "a.txt"], 0.5, seed=0)


def test_folders_without_text_and_absent_paths_are_refused(tmp_path):
    with pytest.raises(InputError, match="but got none"):
        data_files([tmp_path])
    with pytest.raises(InputError, match="but got nothing"):
        data_files([tmp_path / "absent"])


def test_pieces_have_no_n_and_lengths_within_the_limits():
    line = "A" * 120 + "N" + "C" * 49 + "NN" + "G" * 50
    assert pieces([line], length=100, shortest=20) == ["A" * 100, "A" * 20, "C" * 49, "G" * 50]
    assert pieces([line]) == ["A" * 120, "G" * 50]
