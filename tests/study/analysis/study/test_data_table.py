"""The table of the data on the page, from the events of the journal."""

from dataclasses import replace

from study.analysis.study.data_table import data_table
from study.analysis.study.page import render
from study.storage.events import StudyOpened
from study.storage.journal import Journal
from study.tasks import Split
from study.tasks.assignment import Assignment
from study.tasks.quality import measure
from study.training.token_report import TokenReport, count_tokens
from tests.study.analysis.study.made_studies import MadeStudy

TRAIN = Split(["AACC", "AACC", "GGTT", "GCGCAA"], [0, 1, 0, 1])
DEV = Split(["AACC", "AAAA"], [0, 1])
QUALITY = replace(measure(TRAIN, DEV, DEV, 3), dropped={"copies": 2, "in dev or test": 1})
TOKENS = TokenReport(
    7,
    False,
    {
        "train": count_tokens([5, 6, 8, 9], 7),
        "train, other strand": count_tokens([5, 5, 5, 6], 7),
        "dev": count_tokens([5, 6], 7),
        "test": count_tokens([5, 6], 7),
    },
)


def opened(study: MadeStudy, **reports: object) -> None:
    """Writes a new journal with reports on the data."""
    study.folder.journal.write_text("")
    Journal(study.folder.journal).append(StudyOpened(version=1, name="made", **reports))


def test_the_table_has_sequences_and_tokens_of_each_split(study: MadeStudy) -> None:
    opened(study, quality=QUALITY.record(), tokens=TOKENS.record())
    table = data_table(study.read())
    rows = dict(table.rows)
    assert list(rows) == ["train", "train, other strand", "dev", "test"]
    assert dict(zip(table.columns, rows["train"], strict=True)) == {
        "rows": "4", "length (bases)": "4-6", "shares of classes": "50.0% / 50.0% / 0.0%",
        "GC content by class (sd)": "0.50 (0.00) / 0.58 (0.08) / –", "duplicates": "1",
        "reverse-complement pairs": "1", "conflicting labels": "1", "tokens (mean)": "7.0",
        "tokens (max)": "9", "truncated": "50.0%", "unknown tokens": "0.0%",
    }  # fmt: skip
    assert rows["train, other strand"] == ["–"] * 7 + ["5.2", "6", "0.0%", "0.0%"]
    assert table.remarks == [
        "sequences shared by train and dev: 1, and 0 more as reverse complements",
        "sequences shared by train and test: 1, and 0 more as reverse complements",
        "sequences shared by dev and test: 2, and 0 more as reverse complements",
        "sequences with conflicting labels: 1",
        "dropped from train: 2 copies, 1 in dev or test",
        "maximum length: 7 tokens (task.max_length)",
    ]


def test_the_table_names_classes_and_the_rows_that_were_drawn(study: MadeStudy) -> None:
    quality = replace(
        measure(TRAIN, DEV, DEV, 2, ("no", "yes")),
        assignment=Assignment(
            ["dev", "test", "train", "dev", "test"], [*"abcde"], {"dev": {"chr8": 2}}
        ),
        rna={"train": 3},
        near={"train": 4, "dev": 1, "test": 2},
    )
    opened(study, quality=quality.record())
    table = data_table(study.read())
    assert "shares of classes (no / yes)" in table.columns
    assert "drawn from train by task.split: 2 dev (chr8), 2 test" in table.remarks
    similar = "sequences with a near copy in train (Jaccard similarity of 13-mers >= 0.25)"
    assert f"{similar}: 1 of dev and 2 of test" in table.remarks
    assert "sequences of RNA, in which U is read as T: 3 train" in table.remarks


def test_many_classes_have_a_table_of_their_own(study: MadeStudy) -> None:
    names = ("a", "b", "c", "<d>")
    train = Split(["AACC", "GGTT", "GCGC", "ATAT"], [0, 1, 2, 3])
    opened(study, quality=measure(train, DEV, DEV, 4, names).record(), tokens=TOKENS.record())
    table = data_table(study.read())
    assert not any("classes" in column or "GC" in column for column in table.columns)
    assert table.splits == ["train", "dev", "test"]
    assert table.classes[2] == (
        "c", ["1 (25.0%)", "1.00 (0.00)", "0 (0.0%)", "–", "0 (0.0%)", "–"],
    )  # fmt: skip
    page = render(study.read())
    assert '<th scope="row">&lt;d&gt;</th>' in page
    assert "<d>" not in page


def test_the_page_shows_the_table(study: MadeStudy) -> None:
    opened(study, quality=QUALITY.record(), tokens=TOKENS.record())
    page = render(study.read())
    assert "<thead><tr><th>split</th>" in page
    assert "train, other strand" in page
    assert "Dropped from train: 2 copies" in page


def test_a_study_from_before_the_reports_has_no_table(study: MadeStudy) -> None:
    read = study.read()
    assert data_table(read) is None
    assert "<thead><tr><th>split</th>" not in render(read)


def test_one_of_the_two_reports_is_enough_for_a_table(study: MadeStudy) -> None:
    opened(study, tokens=TOKENS.record())
    table = data_table(study.read())
    assert table.columns == ["tokens (mean)", "tokens (max)", "truncated", "unknown tokens"]
    opened(study, quality=QUALITY.record())
    table = data_table(study.read())
    assert "rows" in table.columns
    assert "tokens (max)" not in table.columns
