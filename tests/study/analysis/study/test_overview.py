"""The settings of a study on one line each."""

from pathlib import Path

import pytest

from study.analysis.study.overview import settings
from study.spec import StudySpec

PLAIN = ", dedup=none, rc_augment=False, rc_average=False"
BOTH_STRANDS = ", dedup=none, rc_augment=True, rc_average=True"


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (
            {"train": 9, "dev": 8, "test": 7},
            f"promoters (generated: train=9, dev=8, test=7, seed=0){PLAIN}",
        ),
        ({"path": Path("/data/mine"), "max_length": 70}, f"/data/mine, max_length=70{PLAIN}"),
        (
            {"path": "/d/x.fa", "split": {"column": "chrom", "dev": ["chr8"], "test": [9, "X"]}},
            f"/d/x.fa, split: dev=chr8, test=9 X, column=chrom{PLAIN}",
        ),
        (
            {"path": "/d/x.csv", "split": {"group": "gene", "dev": 0.1, "seed": 2}},
            f"/d/x.csv, split: dev=0.1, group=gene, seed=2{PLAIN}",
        ),
        ({"name": "emp/H3"}, f"emp/H3 (from the hub){BOTH_STRANDS}"),
        ({"name": "emp/H3", "revision": "v1"}, f"emp/H3 (from the hub at v1){BOTH_STRANDS}"),
        ({"name": "prom/all", "path": Path("/data/GUE")}, f"prom/all (from /data/GUE){PLAIN}"),
        (
            {"name": "nt/H3", "seed": 3},
            f"nt/H3 (from the hub), dev cut from train with seed=3{BOTH_STRANDS}",
        ),
    ],
)
def test_the_task_names_the_source_of_its_rows(task, text):
    assert dict(settings(StudySpec.model_validate({"task": task})))["task"] == text


def test_only_random_weights_are_shown_with_their_seed() -> None:
    spec = StudySpec.model_validate({"backbone": {"weights": "random", "weights_seed": 4}})
    assert dict(settings(spec))["backbone"] == (
        "opt-dna-mini, dtype=float32, weights=random, weights_seed=4"
    )
    assert dict(settings(StudySpec()))["backbone"] == "opt-dna-mini, dtype=float32"
