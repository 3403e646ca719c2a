import numpy as np
import pytest

from study.errors import InputError
from study.models.pretraining.overlap import WINDOW, Windows, sequences_of_csv
from study.models.pretraining.text import reverse_complement
from tests.study.models.checkpoints import random_dna


def _dna(length, seed):
    return random_dna(1, length, seed)[0]


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
    with pytest.raises(InputError, match="a column 'sequence'"):
        sequences_of_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("sequence,label\nacgt,1\n")
    assert sequences_of_csv(tmp_path / "b.csv") == ["ACGT"]
