"""Published tasks: their facts, and reading them from local copies of all layouts."""

from __future__ import annotations

from collections import Counter

import pandas
import pytest

from study.errors import InputError
from study.spec import TaskSpec
from study.spec.task import HISTONES
from study.spec.task import PUBLISHED as NAMES
from study.tasks import Split, load_task
from study.tasks.dedup import cut_dev
from study.tasks.published.catalogue import GUE, NT, PUBLISHED, row_warnings
from tests.study.tasks.small_tasks import ROWS, rows, write_csv, write_parquet

# All windows of each mark, as the data set's first users counted them.
WINDOWS = {
    "H3": 14965, "H3K14ac": 33048, "H3K36me3": 34880, "H3K4me1": 31677, "H3K4me2": 30683,
    "H3K4me3": 36799, "H3K79me3": 28837, "H3K9ac": 27782, "H4": 14601, "H4ac": 34095,
}  # fmt: skip


def complaint(**settings: object) -> str:
    with pytest.raises(InputError) as caught:
        load_task(TaskSpec(**settings))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_name_has_its_facts():
    assert list(PUBLISHED) == list(NAMES)
    assert {task.repository for task in PUBLISHED.values()} == {GUE, NT}
    assert all(task.citation for task in PUBLISHED.values())
    assert PUBLISHED["emp/H3"].places == ("GUE/emp_H3", "emp_H3", "GUE/EMP/H3", "EMP/H3")
    assert PUBLISHED["prom_core/tata"].places[::3] == (
        "GUE/prom_core_tata",
        "prom/prom_core_tata",
    )


def test_splice_sites_have_three_classes_and_the_places_of_gue(tmp_path):
    published = PUBLISHED["splice/reconstructed"]
    assert published.places == (
        "GUE/splice_reconstructed",
        "splice_reconstructed",
        "GUE/splice/reconstructed",
        "splice/reconstructed",
    )
    assert {task.classes for name, task in PUBLISHED.items() if "splice" not in name} == {2}
    folder = tmp_path / "splice" / "reconstructed"
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        lines = [f"{sequence},{row % 3}" for row, (sequence, _) in enumerate(rows(split))]
        (folder / f"{split}.csv").write_text("\n".join(["sequence,label", *lines]))
    task = load_task(TaskSpec(name="splice/reconstructed", path=tmp_path))
    assert task.num_labels == published.classes == 3
    assert "train 20 instead of 36496" in task.warnings[0]


@pytest.mark.parametrize("mark", HISTONES)
def test_the_rows_of_a_mark_add_up_to_all_its_windows(mark):
    assert sum(PUBLISHED[f"emp/{mark}"].rows.values()) == WINDOWS[mark]
    assert sum(PUBLISHED[f"nt/{mark}"].rows.values()) == WINDOWS[mark]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("kind", ["prom", "prom_core"])
def test_all_promoters_are_those_with_and_without_tata(kind, split):
    counts = {name: PUBLISHED[f"{kind}/{name}"].rows[split] for name in ("all", "notata", "tata")}
    assert counts["all"] == counts["notata"] + counts["tata"]


def test_row_counts_that_differ_are_named_with_both_numbers():
    published = PUBLISHED["prom/tata"]
    assert row_warnings(published, {"train": 4904, "dev": 613, "test": 613}) == []
    [warning] = row_warnings(published, {"train": 4903, "dev": 613, "test": 614})
    assert "train 4903 instead of 4904, test 614 instead of 613;" in warning


@pytest.mark.parametrize("place", ["GUE/EMP/H3", "EMP/H3", "GUE/emp_H3", "emp_H3", "."])
def test_a_gue_folder_is_read_in_every_layout(tmp_path, place):
    write_csv(tmp_path / place)
    task = load_task(TaskSpec(name="emp/H3", path=tmp_path))

    assert task.name == "emp/H3"
    assert list(zip(task.train.sequences, task.train.labels, strict=True)) == rows("train")
    assert [len(split) for _, split in task.splits()] == list(ROWS.values())
    assert task.warnings == [
        "the numbers of rows are not the published ones: train 20 instead of 11971,"
        " dev 6 instead of 1497, test 8 instead of 1497; scores cannot be compared with"
        " published scores"
    ]


def test_a_task_is_not_confused_with_one_of_a_similar_name(tmp_path):
    write_csv(tmp_path / "EMP" / "H3K4me1")
    message = complaint(name="emp/H3", path=tmp_path)
    assert message.startswith(f"task.path: {tmp_path}: emp/H3 must be train.csv, dev.csv,")
    assert "EMP/H3 or the folder itself, but got a folder with EMP" in message
    message = complaint(name="nt/H3", path=tmp_path)
    assert "nt/H3 must be train.csv, test.csv (or .parquet) in H3 or data or the folder" in message
    assert message.count("the folder itself") == 1


def test_a_folder_without_all_splits_is_skipped_and_refused_if_there_is_no_other(tmp_path):
    write_csv(tmp_path / "GUE" / "EMP" / "H4", ("train", "test"))
    write_csv(tmp_path, ("test", "train"))
    assert "but got a folder with GUE, test.csv, train.csv" in complaint(
        name="emp/H4", path=tmp_path
    )
    write_csv(tmp_path / "EMP" / "H4")
    assert len(load_task(TaskSpec(name="emp/H4", path=tmp_path)).dev) == ROWS["dev"]


def test_a_path_that_is_not_a_folder_is_refused(tmp_path):
    assert "but got no folder" in complaint(name="prom/all", path=tmp_path / "nowhere")
    long = complaint(name="prom/all", path=tmp_path / ("x" * 5000))
    assert "must be readable, but got: File name too long" in long


def test_published_rows_go_through_the_checks_of_own_data(tmp_path):
    folder = write_csv(tmp_path / "EMP" / "H3")
    (folder / "dev.csv").write_text("sequence,label\nACGT,0\nACXT,1\n")
    assert f"{folder}/dev.csv:3: a sequence must consist of" in complaint(
        name="emp/H3", path=tmp_path
    )
    (folder / "dev.csv").write_text("sequence,label\nACGT,0\nACGT,0\n")
    assert "dev must have two classes" in complaint(name="emp/H3", path=tmp_path)
    (folder / "dev.csv").write_text("dna,label\nACGT,0\n")
    assert "task.columns.sequence" in complaint(name="emp/H3", path=tmp_path)


@pytest.mark.parametrize(
    ("place", "form"),
    [
        ("promoter_tata", "{}.parquet"),
        (".", "{}.parquet"),
        ("data", "{}-00000-of-00001.parquet"),
    ],
)
def test_parquet_is_read_from_a_folder_a_task_or_one_file_for_all(tmp_path, place, form):
    write_parquet(tmp_path / place, "promoter_tata", "H3", form=form)
    task = load_task(TaskSpec(name="nt/promoter_tata", path=tmp_path))

    train = list(zip(task.train.sequences, task.train.labels, strict=True))
    dev = list(zip(task.dev.sequences, task.dev.labels, strict=True))
    assert sorted(train + dev) == sorted(rows("train", 40))
    assert list(zip(task.test.sequences, task.test.labels, strict=True)) == rows("test", 16)
    assert "train 40 instead of 5517, test 16 instead of 613" in task.warnings[0]
    assert task.warnings[1] == (
        "the data set has no dev split: 4 of the 40 train rows were drawn for it (task.seed=0)"
    )


def test_parquet_without_a_task_column_is_the_whole_task(tmp_path):
    folder = write_parquet(tmp_path / "H3", "H3")
    for file in folder.iterdir():
        pandas.read_parquet(file).drop(columns="task").to_parquet(file)
    assert len(load_task(TaskSpec(name="nt/H3", path=tmp_path)).test) == 16


def test_another_seed_draws_another_dev_split(tmp_path):
    write_parquet(tmp_path / "H3", "H3")
    first, again, other = (
        load_task(TaskSpec(name="nt/H3", path=tmp_path, seed=seed)).dev for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_faults_of_parquet_are_named_by_row(tmp_path):
    folder = write_parquet(tmp_path / "H3", "H3")
    train = pandas.read_parquet(folder / "train.parquet")

    def fault(frame: pandas.DataFrame, **settings: str) -> str:
        frame.to_parquet(folder / "train.parquet")
        return complaint(name="nt/H3", path=tmp_path, **settings)

    strange = train.assign(sequence=["ACGU", None, *train.sequence[2:]])
    assert "train.parquet:2: a sequence must not be empty" in fault(strange)
    nowhere = train.assign(sequence=[float("nan")] * len(train))
    assert "train.parquet:1: a sequence must not be empty" in fault(nowhere)
    strange = train.assign(sequence=["ACGX", *train.sequence[1:]])
    assert "train.parquet:1: a sequence must consist of" in fault(strange)
    assert "(row 1)" in fault(strange)
    assert "label must be a whole number" in fault(train.assign(label=train.label + 0.5))
    assert "must have a column 'y', but got sequence, name, label, task; " in fault(
        train, columns={"label": "y"}
    )
    assert "column 'task' must name H3 in some rows, but got H4" in fault(train.assign(task="H4"))
    assert "must have rows, but got none" in fault(train[:0].drop(columns="task"))


def test_a_file_that_is_not_parquet_is_refused(tmp_path):
    folder = write_parquet(tmp_path / "H3", "H3")
    (folder / "test.parquet").write_text("sequence,label\n")
    message = complaint(name="nt/H3", path=tmp_path)
    rule = "must be a readable parquet file, but got: Parquet magic bytes not found"
    assert f"{folder}/test.parquet: {rule}" in message


def test_the_dev_cut_is_a_tenth_of_each_class_in_order_and_nothing_is_lost():
    whole = Split([f"{'ACGT'[row % 4]}{row}" for row in range(200)], [1, 0, 0, 0] * 50)
    train, dev = cut_dev(whole, seed=7)

    assert Counter(dev.labels) == {1: 5, 0: 15}
    assert set(train.sequences).isdisjoint(dev.sequences)
    assert sorted(train.sequences + dev.sequences) == sorted(whole.sequences)
    for part in (train, dev):
        places = [whole.sequences.index(sequence) for sequence in part.sequences]
        assert places == sorted(places)
        assert part.labels == [whole.labels[place] for place in places]
    assert cut_dev(whole, seed=7) == (train, dev)
    assert cut_dev(whole, seed=8)[1] != dev


def test_the_dev_cut_has_a_row_of_the_rarest_class():
    _, dev = cut_dev(Split(["A"] * 13, [0] * 11 + [1] * 2), seed=0)
    assert Counter(dev.labels) == {0: 1, 1: 1}
