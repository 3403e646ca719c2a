"""Kept triplets, ranks and predicted classes across seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.analysis.comparison.agreement.disagreement import EVERYTHING, disagreements
from study.analysis.comparison.agreement.stability import (
    overlaps,
    pairs_differing_in,
    rank_patterns,
)
from study.analysis.comparison.outputs import Outputs, read_outputs
from study.analysis.comparison.results import ComparisonResults, read_results
from study.errors import InputError
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    MODULES,
    RS,
    Row,
    crossed,
    write,
    write_outputs,
)

TWO_MODULES = ("model.layers.0.self_attn.q_proj", "model.layers.1.fc2")


def with_outputs(
    folder: Path, rows: list[Row], *arrays: dict[str, Any]
) -> tuple[ComparisonResults, Outputs]:
    """Writes results and, for the runs one after another, these arrays."""
    write(folder, rows)
    (folder / "outputs").mkdir()
    for row, found in zip(rows, arrays, strict=True):
        np.savez(folder / "outputs" / f"run-{row['run']:05d}.npz", **found)
    np.savez(folder / "labels.npz", dev=np.array([0]), test=np.array([0, 0, 1, 1]))
    comparison = read_results(folder)
    return comparison, read_outputs(comparison, "test")


def kept(*rows: list[int]) -> dict[str, Any]:
    return {"kept": np.array(rows, dtype=bool), "modules": np.array(TWO_MODULES)}


def predicted(*classes: int) -> dict[str, Any]:
    return {"test": np.eye(2, dtype=np.float32)[list(classes)]}


def test_overlap_is_the_jaccard_index_of_kept_triplets(tmp_path: Path) -> None:
    rows = crossed([RS], (2, 1, 1))
    found = overlaps(
        *with_outputs(
            tmp_path, rows, kept([1, 1, 0, 0], [1, 0, 0, 0]), kept([1, 0, 0, 0], [1, 1, 0, 0])
        )
    )
    (overlap,) = found
    assert (overlap.differ_in, overlap.pairs, overlap.mean) == ("mask", 1, 2 / 4)
    # 3 of 8 and 3 of 8 have 9/8 in common; with their ranks 2 x 1 / 4 + 1 x 2 / 4 = 1.
    assert overlap.by_chance == pytest.approx((9 / 8) / (6 - 9 / 8))
    assert overlap.by_ranks == pytest.approx(1 / 5)


def test_the_expected_overlap_is_that_of_random_triplets(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = crossed([RS], (40, 1, 1))
    arrays = [{"kept": rng.random((24, 8)) < 0.5, "modules": np.array(MODULES)} for _ in rows]
    (overlap,) = overlaps(*with_outputs(tmp_path, rows, *arrays))
    assert overlap.mean == pytest.approx(overlap.by_chance, abs=0.01)


def test_only_runs_that_differ_in_one_seed_are_paired() -> None:
    keys = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 0, 1), (-1, 0, 0)]
    assert pairs_differing_in(keys, "mask") == [((0, 0, 0), (1, 0, 0))]
    assert pairs_differing_in(keys, "init") == [((1, 0, 0), (1, 1, 0))]
    assert pairs_differing_in(keys, "data") == [((0, 0, 0), (0, 0, 1))]


def test_runs_without_mask_are_paired_by_their_other_seeds() -> None:
    keys = [(-1, 0, 0), (-1, 1, 0), (-1, 1, 1)]
    assert pairs_differing_in(keys, "init") == [((-1, 0, 0), (-1, 1, 0))]
    assert pairs_differing_in(keys, "mask") == []


def test_the_rank_pattern_has_its_mean_over_runs_and_its_sd_over_masks(tmp_path: Path) -> None:
    rows = crossed([RS], (2, 2, 1))
    (pattern,) = rank_patterns(
        *with_outputs(
            tmp_path, rows,
            kept([1, 1, 0, 0], [1, 0, 0, 0]), kept([1, 1, 1, 1], [0, 0, 0, 0]),
            kept([1, 0, 0, 0], [1, 0, 0, 0]), kept([1, 1, 1, 0], [0, 0, 0, 0]),
        )
    )  # fmt: skip
    assert (pattern.layers, pattern.matrices) == (["0", "1"], ["q", "f2"])
    assert pattern.mean[0, 0] == (2 + 4 + 1 + 3) / 4
    assert np.isnan(pattern.mean[0, 1])
    # At each init seed the two masks differ by one; the init seeds' difference is not in it.
    assert pattern.sd[0, 0] == pytest.approx(np.sqrt(0.5))
    assert pattern.sd[1, 1] == 0
    assert (pattern.b0, pattern.runs, pattern.masks) == (4, 4, 2)
    assert [record["matrix"] for record in pattern.records()] == ["q", "f2"]


def test_disagreement_is_the_share_of_other_classes(tmp_path: Path) -> None:
    rows = crossed([RS], (2, 1, 2))
    found = disagreements(
        *with_outputs(
            tmp_path, rows,
            predicted(0, 0, 1, 1), predicted(0, 0, 1, 0),
            predicted(1, 0, 1, 1), predicted(1, 1, 1, 1),
        )
    )  # fmt: skip
    by_factor = {one.differ_in: one for one in found}
    assert set(by_factor) == {"mask", "data", EVERYTHING}
    # Masks differ in 1 of 4 with data seed 0, in 3 of 4 with data seed 1.
    assert (by_factor["mask"].mean, by_factor["mask"].low, by_factor["mask"].high) == (
        0.5,
        0.25,
        0.75,
    )
    assert by_factor["data"].mean == pytest.approx(0.25)
    assert by_factor[EVERYTHING].pairs == 2
    assert by_factor["mask"].unsettled == pytest.approx(0.5)
    # Accuracies 1 and 0.75, then 0.75 and 0.5.
    assert by_factor["mask"].least == pytest.approx(0.25)
    independent = np.mean([1 * 0.25, 0.75 * 0.5 + 0.25 * 0.5])
    assert by_factor["mask"].independent == pytest.approx(independent)


def test_equal_runs_have_no_disagreement(tmp_path: Path) -> None:
    rows = crossed([LORA], (1, 2, 1))
    (found,) = [
        one
        for one in disagreements(
            *with_outputs(tmp_path, rows, predicted(0, 1, 1, 1), predicted(0, 1, 1, 1))
        )
        if one.differ_in == "init"
    ]
    assert (found.mean, found.unsettled, found.least) == (0, 0, 0)


def test_runs_without_outputs_are_left_out(tmp_path: Path) -> None:
    comparison = read_results(write(tmp_path, crossed([RS, ADALORA])))
    outputs = read_outputs(comparison, "test")
    assert outputs.labels is None
    assert not overlaps(comparison, outputs)
    assert not rank_patterns(comparison, outputs)
    assert not disagreements(comparison, outputs)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"test": np.ones((3, 2))}, "test must have a row of numbers for each of the 4 labels"),
        ({"test": np.full((4, 2), "0.5")}, r"test must have a row of numbers .* type <U3"),
        ({"test": np.ones((4, 0))}, r"test must have a row of numbers .* shape \(4, 0\)"),
        ({"test": np.array(0.5)}, r"test must have a row of numbers .* shape \(\)"),
        (
            {"kept": np.ones((1, 2), bool), "modules": np.array("a")},
            "modules must be a vector of names",
        ),
        ({"kept": np.ones((3, 2), bool), "modules": np.array(["a"])}, "each of the 1 modules"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        with_outputs(tmp_path, crossed([LORA], (1, 1, 1)), arrays)
    assert "run-00000.npz" in str(caught.value)


def test_a_damaged_output_is_refused_with_its_name(tmp_path: Path) -> None:
    rows = crossed([RS])
    write_outputs(write(tmp_path, rows), rows)
    (tmp_path / "outputs" / "run-00003.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InputError, match=r"run-00003\.npz: must be a readable npz file"):
        read_outputs(read_results(tmp_path), "test")


@pytest.mark.parametrize(
    "labels", [np.zeros((4, 1), int), np.array(1), np.array([], int), np.array(["a", "b"])]
)
def test_labels_that_are_no_list_of_classes_are_refused(
    tmp_path: Path, labels: np.ndarray
) -> None:
    rows = crossed([RS])
    write_outputs(write(tmp_path, rows), rows)
    np.savez(tmp_path / "labels.npz", test=labels)
    with pytest.raises(InputError, match=r"labels\.npz: test must be a vector of integer classes"):
        read_outputs(read_results(tmp_path), "test")


def test_an_npy_file_is_refused(tmp_path: Path) -> None:
    rows = crossed([RS])
    write_outputs(write(tmp_path, rows), rows)
    with (tmp_path / "outputs" / "run-00003.npz").open("wb") as file:
        np.save(file, np.ones((600, 2)))
    with pytest.raises(InputError, match=r"run-00003\.npz: must be a readable npz file"):
        read_outputs(read_results(tmp_path), "test")
