import gzip

import numpy as np
import pytest

from study.errors import InputError
from study.models.pretraining.overlap import WINDOW, Windows, sequences_of_csv
from study.models.pretraining.text import data_files, load_text, pieces, reverse_complement


def _dna(length, seed):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), size=length))


def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence():
    assert reverse_complement("AACGTN") == "NACGTT"
    assert reverse_complement(reverse_complement(_dna(99, 0))) == _dna(99, 0)


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


@pytest.mark.parametrize("strand", ["same", "other"])
def test_a_shared_window_is_found_at_every_position(strand):
    known = _dna(300, 0)
    for start in (0, 117, 300 - WINDOW):
        shared = known[start : start + WINDOW]
        shared = reverse_complement(shared) if strand == "other" else shared
        lines = [_dna(200, 1), shared, _dna(33, 2) + shared + _dna(20, 3), _dna(80, 4)]
        assert Windows([known]).shared_by(lines).tolist() == [False, True, True, False]


def test_one_base_less_than_a_window_is_no_overlap():
    known = _dna(300, 0)
    part = known[100 : 100 + WINDOW - 1]
    around = {"A": "C", "C": "A", "G": "A", "T": "A"}
    line = _dna(60, 5) + around[known[99]] + part + around[known[100 + WINDOW - 1]] + _dna(60, 6)
    assert not Windows([known]).shared_by([line]).any()


def test_a_window_across_two_lines_or_across_an_n_is_no_overlap():
    known = _dna(100, 0)
    halves = [known[:49], known[49:98]]
    assert not Windows([known]).shared_by([*halves, known[:30] + "N" + known[31:70]]).any()


def test_overlaps_are_found_beyond_the_first_block(monkeypatch):
    monkeypatch.setattr("study.models.pretraining.overlap._BLOCK", 500)
    lines = [_dna(120, seed) for seed in range(40)]
    chosen = [3, 17, 39]
    shared = Windows([lines[i][10:90] for i in chosen]).shared_by(lines)
    assert np.flatnonzero(shared).tolist() == chosen


def test_nothing_overlaps_an_empty_set():
    assert Windows([]).shared_by(["ACGT" * 30]).tolist() == [False]


def test_a_csv_without_a_sequence_column_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("seq,label\nACGT,1\n")
    with pytest.raises(InputError, match="a column named sequence"):
        sequences_of_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("sequence,label\nacgt,1\n")
    assert sequences_of_csv(tmp_path / "b.csv") == ["ACGT"]
