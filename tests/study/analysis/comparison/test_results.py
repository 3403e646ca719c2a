"""Valid and invalid results.csv of a comparison folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from study.analysis.comparison.results import read_results
from study.errors import InputError
from study.spec.metrics import lower_is_better
from tests.study.analysis.comparison.made_comparisons import (
    RS,
    Row,
    crossed,
    failed,
    finalists,
    planned,
    write,
    write_spec,
)


def refusal(folder: Path, metric: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_results(folder, metric)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_row_becomes_a_run(tmp_path: Path) -> None:
    rows = crossed()
    found = read_results(write(tmp_path, [rows[0], failed(rows[1]), planned(rows[45])]))
    first, bad, last = found.runs
    assert (first.number, first.configuration, first.method) == (0, "adalora_rs", "adalora_rs")
    assert (first.key, first.state, first.settings["p"]) == ((0, 0, 0), "complete", "0.1")
    assert first.values["test_mcc"] == rows[0]["test_mcc"]
    assert (bad.state, bad.values, bad.reason[:8]) == ("failed", {}, "diverged")
    assert (last.number, last.key, last.name) == (None, (-1, 0, 0), "init 0, data 0")
    assert found.warnings == []


def test_configurations_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = read_results(write(tmp_path, crossed()))
    assert list(found.configurations) == ["adalora_rs", "adalora", "lora", "fmft"]
    assert [len(runs) for runs in found.configurations.values()] == [45, 9, 9, 9]


def test_a_task_is_named_after_its_folder_and_finalists_after_their_study(tmp_path: Path) -> None:
    assert read_results(write(tmp_path / "tata", crossed())).name == "tata"
    found = read_results(write(tmp_path / "study" / "finalists", finalists()))
    assert (found.name, found.fixed_before) == ("study/finalists", False)


@pytest.mark.parametrize(
    ("name", "spec", "is_race"),
    [
        ("finalists", None, True),
        ("copied", None, False),
        ("copied", "race", True),
        ("finalists", "comparison", False),
        ("copied", "comparison", False),
    ],
)
def test_a_race_is_recognised_by_its_spec_or_by_its_name(
    tmp_path: Path, name: str, spec: str | None, is_race: bool
) -> None:
    folder = write(tmp_path / name, finalists())
    if spec is not None:
        write_spec(folder, race=spec == "race")
    assert read_results(folder).fixed_before is not is_race


def test_unknown_columns_are_named_and_not_used(tmp_path: Path) -> None:
    rows = [row | {"mood": "fine"} for row in crossed()]
    path = write(tmp_path, rows) / "results.csv"
    head, _, rest = path.read_text().partition("\n")
    names = head.split(",")
    # Columns between `reason` and `reports` are settings; unknown columns after them are ignored.
    order = [n for n in names if n != "mood"] + ["mood"]
    lines = [line.split(",") for line in rest.splitlines()]
    table = [[line[names.index(name)] for name in order] for line in lines]
    path.write_text("\n".join([",".join(order), *(",".join(line) for line in table)]))
    found = read_results(tmp_path)
    (warning,) = found.warnings
    assert "unknown columns mood" in warning
    assert "mood" not in found.runs[0].settings


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    assert "must be a comparison folder with results.csv" in refusal(tmp_path)


def test_the_error_for_a_missing_folder_names_it(tmp_path: Path) -> None:
    assert "must be a comparison folder with results.csv, but got no such folder; " in refusal(
        tmp_path / "nowhere"
    )


def test_missing_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("run,configuration,method,init,state\n")
    assert (
        "must have the columns 'mask', 'data', but got run, configuration, method, init, state; "
        in refusal(tmp_path)
    )


def test_the_results_of_a_benchmark_are_refused_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("backbone,task,method,seed,state,test_mcc\n")
    assert "with study.report" in refusal(tmp_path)


def test_the_error_for_an_unknown_metric_lists_the_known_ones(tmp_path: Path) -> None:
    assert "got 'test_auc'; name one of test_mcc" in refusal(
        write(tmp_path, crossed()), "test_auc"
    )


def test_results_without_a_complete_run_are_refused(tmp_path: Path) -> None:
    rows = [failed(crossed()[0]), planned(crossed()[1])]
    assert "at least one run must be complete, but got 1 planned, 1 failed" in refusal(
        write(tmp_path, rows)
    )


def test_a_repeated_run_is_refused(tmp_path: Path) -> None:
    rows = crossed()
    message = refusal(write(tmp_path, [*rows, rows[7] | {"run": 99}]))
    assert f"results.csv:{len(rows) + 2}: " in message
    assert "adalora_rs with mask 0, init 2, data 1 again" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"state": "done"}, "state must be one of planned, running, complete, failed"),
        ({"configuration": ""}, "configuration must not be empty"),
        ({"init": ""}, "init must not be empty, but got ''"),
        (
            {"mask": "-3"},
            "mask must be a whole number from 0 to 4294967295 or empty, but got '-3'",
        ),
        ({"run": ""}, "run must be the number of a run that ended"),
        ({"test_mcc": "good"}, "test_mcc must be a number from -1 to 1 or empty, but got 'good'"),
        ({"test_mcc": 5}, "test_mcc must be a number from -1 to 1 or empty, but got '5'"),
        ({"test_mcc": -1.5}, "test_mcc must be a number from -1 to 1 or empty, but got '-1.5'"),
        ({"dev_auc": -0.1}, "dev_auc must be a number from 0 to 1 or empty, but got '-0.1'"),
        ({"test_loss": -2}, "test_loss must be a number >= 0 or empty, but got '-2'"),
        ({"data": 2**32}, "data must be a whole number from 0 to 4294967295 or empty, but got"),
        ({"init": 10**30}, "init must be a whole number from 0 to 4294967295 or empty, but got"),
        ({"mask": "9" * 5000}, "mask must be a whole number from 0 to 4294967295 or empty"),
        ({"run": "9" * 5000}, "run must be a whole number from 0 to 4294967295 or empty"),
        ({"run": 0}, "run must be a unique number, but got 0 again"),
        ({"mask": ""}, "got both for adalora_rs"),
    ],
)
def test_a_bad_value_is_refused_with_its_line(tmp_path: Path, change: Row, expected: str) -> None:
    good = crossed([RS])
    message = refusal(write(tmp_path, [good[0], good[1] | change]))
    assert "results.csv:3: " in message
    assert expected in message


@pytest.mark.parametrize(
    ("line", "change", "expected"),
    [
        (
            1,
            lambda cells: [*cells[:-1], "data"],
            "column 'data' must be in the header once, but got it 2 times",
        ),
        (3, lambda cells: [*cells, "0.7"], "every row must have the header's 19 fields"),
        (3, lambda cells: cells[:-2], "every row must have the header's 19 fields"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(
    tmp_path: Path, line: int, change: Callable[[list[str]], list[str]], expected: str
) -> None:
    path = write(tmp_path, crossed([RS])) / "results.csv"
    lines = path.read_text().splitlines()
    lines[line - 1] = ",".join(change(lines[line - 1].split(",")))
    path.write_text("\n".join(lines))
    message = refusal(tmp_path)
    assert f"results.csv:{line}: " in message
    assert expected in message


def test_a_score_outside_its_limits_by_rounding_is_accepted(tmp_path: Path) -> None:
    rows = [row | {"test_mcc": 1 + 1e-9} for row in crossed([RS])]
    assert read_results(write(tmp_path, rows)).runs[0].values["test_mcc"] == 1 + 1e-9


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert "must be UTF-8 text" in refusal(tmp_path)


def test_losses_times_and_sizes_are_better_when_small() -> None:
    assert lower_is_better("test_loss")
    assert lower_is_better("train_seconds")
    assert not lower_is_better("dev_mcc")
