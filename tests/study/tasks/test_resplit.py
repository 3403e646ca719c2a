"""Splits that the data seed of a run draws: the pool of all rows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.errors import InputError
from study.models.info import inspect_backbone
from study.spec import TaskSpec
from study.tasks import load_task
from study.tasks.resplit import Pool
from study.tasks.split import Split, reverse_complement
from study.training.encoding import EncodedTask, encode_task
from tests.error_texts import PATTERN

SHARES = {"dev": 0.2, "test": 0.2}
INFO = inspect_backbone("opt-dna-mini", None)


def table(folder: Path, rows: int = 60) -> Path:
    """Random sequences, some copied or on the other strand, in groups of one class mostly."""
    draw, lines = random.Random(0), ["sequence,label,gene"]
    sequences: list[str] = []
    for row in range(rows):
        new = "".join(draw.choices("ACGT", k=20 + row % 3))
        copied = (
            sequences[-1]
            if row % 10 == 9
            else reverse_complement(sequences[-1])
            if row % 10 == 4
            else new
        )
        sequences.append(copied)
        lines.append(f"{copied},{row % 2},gene{row // 5}")
    path = folder / "all.csv"
    path.write_text("\n".join(lines))
    return path


def encoded(**settings: Any) -> EncodedTask:
    spec = TaskSpec(**settings)
    return encode_task(spec, INFO, load_task(spec))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rc_augment": True},
        {"rc_average": True, "dedup": "drop_from_train"},
        {"dedup": "near"},
        {"group": "gene"},
    ],
    ids=str,
)
def test_a_data_seed_draws_the_splits_that_task_split_seed_would(tmp_path, settings):
    path, settings = table(tmp_path), dict(settings)
    split = SHARES | ({"group": settings.pop("group")} if "group" in settings else {})
    first = encoded(path=path, split=split, resplit=True, **settings)
    seen = set()
    for seed in (0, 1, 2005):
        expected = encoded(path=path, split=split | {"seed": seed}, **settings)
        assert first.at(seed).fingerprint() == expected.fingerprint()
        assert first.at(seed).train_rows == len(first.train)
        seen.add(expected.fingerprint())
    assert len(seen) == 3


def test_units_are_rows_that_are_never_separated(tmp_path):
    first = encoded(path=table(tmp_path), split=SHARES, resplit=True)
    rows = first.pool.pool.rows.sequences
    for seed in range(5):
        drawn = first.at(seed).drawn
        dev, test = (set(drawn.units[name].tolist()) for name in ("dev", "test"))
        assert not dev & test
        own = [rows[unit] for unit in drawn.units["test"]]
        assert len(own) == len(first.at(seed).test)
        other = [rows[unit] for unit in drawn.units["train"]]
        assert not {*own, *map(reverse_complement, own)} & set(other)
        assert drawn.shares["test"] == pytest.approx(len(own) / len(rows))


def test_a_race_draws_train_and_dev_only(tmp_path):
    whole = encoded(path=table(tmp_path), split=SHARES, resplit=True)
    race = whole.with_test_held_out()
    devs = set()
    for seed in range(4):
        drawn = race.at(seed)
        assert np.array_equal(drawn.test.tokens, whole.test.tokens)
        assert abs(len(drawn.dev) - len(whole.dev)) <= 2
        assert len(drawn.train) + len(drawn.dev) + len(drawn.test) == 60
        assert set(drawn.drawn.units) == {"train", "dev"}
        devs.add(drawn.dev.tokens.tobytes())
    assert len(devs) == 4


def test_generated_rows_are_drawn_again_in_equal_numbers_and_classes():
    task = load_task(TaskSpec(train=60, dev=20, test=20, resplit=True))
    drawn = [task.pool.draw(seed) for seed in (0, 1)]
    for rows in drawn:
        assert [len(rows[name]) for name in ("train", "dev", "test")] == [60, 20, 20]
        assert sorted(np.concatenate(list(rows.values()))) == list(range(100))
        labels = np.array(task.pool.rows.labels)[rows["test"]]
        assert labels.sum() == 10
    assert not np.array_equal(drawn[0]["test"], drawn[1]["test"])


def test_without_resplit_all_seeds_have_the_same_data(tmp_path):
    task = encoded(path=table(tmp_path), split=SHARES)
    assert task.at(3) is task
    assert task.with_test_held_out() is task


def test_draws_that_lack_a_class_are_drawn_again(tmp_path):
    lines = [
        f"{'ACGT' * 3}{'ACGT'[row % 4] * (row + 1)},{int(row < 3)},g{row}" for row in range(9)
    ]
    path = tmp_path / "all.csv"
    path.write_text("\n".join(["sequence,label,gene", *lines]))
    split = {"dev": 0.3, "test": 0.3, "group": "gene", "seed": 7}
    for seed in range(40):
        try:
            task = load_task(TaskSpec(path=path, split=split | {"seed": seed}, resplit=True))
            break
        except InputError:
            continue
    for seed in range(40):
        labels = np.array(task.pool.rows.labels)
        assert all(len(set(labels[rows])) == 2 for rows in task.pool.draw(seed).values())


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"name": "prom/tata"}, "the published splits of prom/tata"),
        ({"path": "x.csv"}, "given splits of x.csv"),
        ({"path": "x", "split": {"dev": 0.1}}, "dev=0.1 of x"),
        (
            {"path": "x.csv", "split": {"column": "chrom", "dev": 0.1, "test": ["chr9"]}},
            r"dev=0.1 and test=\['chr9'\] of x.csv",
        ),
    ],
)
def test_given_splits_are_not_drawn_again(settings, found):
    rule = "must be given with dev and test drawn by shares"
    with pytest.raises(ValueError, match=f"{rule}, but got {found}; ") as caught:
        TaskSpec(resplit=True, **settings)
    assert PATTERN.search("task.resplit: " + str(caught.value).splitlines()[2].strip())


def test_a_split_has_every_class_that_the_first_one_had(tmp_path):
    draw = random.Random(1)
    lines = [
        f"{''.join(draw.choices('ACGT', k=20))},{row // 2 % 3},g{row // 2}" for row in range(60)
    ]
    path = tmp_path / "all.csv"
    path.write_text("\n".join(["sequence,label,gene", *lines]))
    split = {"dev": 0.2, "test": 0.2, "group": "gene", "seed": 0}
    task = load_task(TaskSpec(path=path, split=split, resplit=True))
    assert set(task.dev.labels) == {0, 1, 2}
    labels = np.array(task.pool.rows.labels)
    assert all(set(labels[task.pool.draw(seed)["dev"]]) == {0, 1, 2} for seed in range(60))


def test_a_table_of_which_no_draw_has_the_classes_is_refused():
    rows = Split([f"{'ACGT' * 2}{'A' * row}" for row in range(12)], [0] * 11 + [1])
    cells = [f"g{row}" for row in range(12)]
    shares = {"dev": 0.3, "test": 0.3}
    pool = Pool("x.csv: task.split", rows, shares, ["train"] * 12, group="gene", cells=cells)
    with pytest.raises(InputError, match="must have the classes that training needs") as caught:
        pool.draw(0)
    assert PATTERN.fullmatch(str(caught.value))
