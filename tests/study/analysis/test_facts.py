"""What a study was asked for, in words."""

from pathlib import Path

import pytest

from study.analysis.facts import asked
from study.spec import StudySpec


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (
            {"train": 9, "dev": 8, "test": 7},
            "promoters (generated: train=9, dev=8, test=7, seed=0)",
        ),
        ({"path": Path("/data/mine"), "max_length": 70}, "/data/mine, max_length=70"),
        ({"name": "emp/H3"}, "emp/H3 (from the hub)"),
        ({"name": "emp/H3", "revision": "v1"}, "emp/H3 (from the hub at v1)"),
        ({"name": "prom/all", "path": Path("/data/GUE")}, "prom/all (from /data/GUE)"),
        (
            {"name": "nt/H3", "seed": 3},
            "nt/H3 (from the hub), dev cut from train with seed=3",
        ),
    ],
)
def test_the_task_says_where_its_rows_come_from(task, text):
    assert dict(asked(StudySpec.model_validate({"task": task})))["task"] == text
