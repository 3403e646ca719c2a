from pathlib import Path

import pytest

from study.analysis.study.trial_table import trial_table
from study.analysis.text import NOTHING, shown
from tests.study.analysis.study.made_studies import FIXED, MadeStudy
from tests.study.analysis.study.test_finalists import raced


def test_the_best_trial_comes_first_and_failures_last(finished: MadeStudy) -> None:
    finished.create(4)
    rows = trial_table(finished.read()).rows
    assert [row.trial for row in rows] == [0, 2, 1, 4, 3]
    assert [row.winner for row in rows] == [True, False, False, False, False]


def test_stopped_trials_are_ordered_by_their_number_of_reports(study: MadeStudy) -> None:
    study.run(0, [0.9])
    study.run(1, [0.1, 0.2])
    study.run(2, [0.1, 0.3])
    assert [row.trial for row in trial_table(study.read()).rows] == [2, 1, 0]


def test_the_smallest_loss_comes_first_and_a_missing_one_last(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "loss", FIXED)
    for trial, loss in enumerate([0.7, None, 0.5]):
        made.create(trial, {})
        made.report(trial, 1, loss, "dev_loss")
        made.end(trial, "complete")
    assert [row.trial for row in trial_table(made.read()).rows] == [2, 0, 1]


def test_columns_have_the_names_of_the_journal(
    finished: MadeStudy,
) -> None:
    columns = trial_table(finished.read()).columns
    assert columns == [
        "b0", "bT_ratio", "bT", "p", "lr", "dev_mcc", "dev_auc", "steps", "trainable_parameters",
        "seconds",
    ]  # fmt: skip


def test_a_row_has_settings_scores_steps_and_seconds(finished: MadeStudy) -> None:
    rows = {row.trial: row.cells for row in trial_table(finished.read()).rows}
    assert rows[1] == [
        "8", "0.250", "2", "0.300", "0.000200", "0.2500", "0.7500", "20 of 80", "92,656", "5",
    ]  # fmt: skip
    assert rows[3][5] == NOTHING


def test_a_trial_without_reports_has_no_scores(study: MadeStudy) -> None:
    study.create(0)
    (row,) = trial_table(study.read()).rows
    assert row.cells[5:] == [NOTHING, "0 of 80", NOTHING, NOTHING]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING), (0.123456, "0.1235"), (-0.5, "-0.5000"), (1.5e-05, "1.5e-05"),
        (1234567, "1,234,567"), (92656.0, "92,656"), (8, "8"), (True, "True"), ("zero", "zero"),
        (0.0, "0"),
    ],
)  # fmt: skip
def test_values_are_shown_with_four_digits(value: object, text: str) -> None:
    assert shown(value) == text


def test_the_winners_fresh_seeds_are_those_that_confirm_it(tmp_path: Path) -> None:
    table = trial_table(raced(tmp_path / "study").read())
    column = table.columns.index("fresh seeds")
    assert {row.trial: row.cells[column] for row in table.rows if row.trial in (3, 5)} == {
        3: "0.3000 (1)",
        5: "0.4200 (2)",
    }
