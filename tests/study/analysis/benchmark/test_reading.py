from pathlib import Path

import pytest

from study.analysis.benchmark.reading import label, read_benchmark
from study.errors import InputError
from study.paper.reference import EMP_TASKS
from tests.study.analysis.benchmark.made_results import Row, run, write


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_benchmark(folder)
    return str(caught.value)


def test_a_row_becomes_a_result(tmp_path: Path) -> None:
    row = run("opt-125m", "emp/H3", "lora", 3, 0.5, 0.75, trainable_parameters=1e6, test_rows=1497)
    (found,) = read_benchmark(write(tmp_path, [row])).results
    assert (found.backbone, found.task, found.method, found.seed) == (
        "opt-125m",
        "emp/H3",
        "lora",
        "3",
    )
    assert found.scores == {"mcc": 0.5, "auc": 0.75}
    assert (found.trainable_parameters, found.test_rows, found.collapsed) == (1e6, 1497, False)


def test_optional_columns_may_be_absent_or_empty(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(
        "backbone,task,method,seed,state,test_mcc,test_auc\na,own,lora,0,complete,.5,\n"
    )
    (found,) = read_benchmark(tmp_path).results
    assert found.scores == {"mcc": 0.5}
    assert found.trainable_parameters is None
    assert found.reason == ""


def test_only_a_complete_run_has_scores_and_nan_is_none(tmp_path: Path) -> None:
    rows = [
        run("a", "own", "lora", 0, 0.4, 0.7, state="running"),
        run("a", "own", "lora", 1, "nan", "nan"),
    ]
    assert [r.scores for r in read_benchmark(write(tmp_path, rows)).results] == [{}, {}]


@pytest.mark.parametrize(
    ("method", "mcc", "collapsed"),
    [("lora", 0.0, True), ("lora", -0.0099, True), ("lora", 0.0101, False), ("lora", -0.5, False),
     ("majority", 0.0, False), ("lora", "", False)],
)  # fmt: skip
def test_a_run_without_correlation_has_collapsed(
    tmp_path: Path, method: str, mcc: float | str, collapsed: bool
) -> None:
    (found,) = read_benchmark(write(tmp_path, [run("a", "own", method, 0, mcc, 0.5)])).results
    assert found.collapsed is collapsed


def test_the_papers_tasks_and_methods_come_first_in_its_order(tmp_path: Path) -> None:
    tasks = ["zebra", "prom/tata", "emp/H4", "apple", "emp/H3", "prom/all"]
    methods = ["mine", "adalora_rs", "fmft", "linear_probe", "lora"]
    rows = [run(b, task, method, 0) for b in ("b", "a") for task in tasks for method in methods]
    rows += [run("", task, method, "") for task in tasks for method in ("kmer", "majority")]
    found = read_benchmark(write(tmp_path, rows))
    assert found.tasks == ["emp/H3", "emp/H4", "prom/all", "prom/tata", "zebra", "apple"]
    assert found.backbones == ["b", "a"]
    assert found.methods("a") == ["fmft", "lora", "adalora_rs", "mine", "linear_probe"]
    assert found.methods("") == ["majority", "kmer"]
    assert EMP_TASKS[0] == "emp/H3"


def test_a_local_backbone_is_labelled_by_the_end_of_its_path() -> None:
    assert label("/data/models/mine") == "models/mine"
    assert label("facebook/opt-125m") == "facebook/opt-125m"
    assert label("opt-125m") == "opt-125m"


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    assert "must contain results.csv" in refusal(tmp_path)


def test_results_without_rows_are_refused(tmp_path: Path) -> None:
    assert "must have rows below the header, but got none" in refusal(write(tmp_path, []))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("backbone,task,method,test_mcc\na,b,c,0.1\n")
    assert (
        "must have the columns 'seed', 'state', 'test_auc', but got backbone, task, method, "
        "test_mcc; write"
    ) in refusal(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("")
    assert "must have a header and rows, but got an empty file" in refusal(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert "must be UTF-8 text" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"state": "done"},
            "state must be one of complete, failed, running, planned, unavailable",
        ),
        ({"task": ""}, "task must not be empty"),
        ({"method": ""}, "method must not be empty"),
        ({"test_mcc": "good"}, "test_mcc must be a number from -1 to 1 or empty, but got 'good'"),
        ({"test_mcc": 57.1}, "test_mcc must be a number from -1 to 1 or empty, but got '57.1'"),
        ({"test_auc": -0.2}, "test_auc must be a number from 0 to 1 or empty, but got '-0.2'"),
        ({"test_rows": "many"}, "test_rows must be a number"),
        ({"trainable_parameters": "1.1M"}, "trainable_parameters must be a number"),
    ],
)
def test_a_bad_value_is_refused_with_its_line(tmp_path: Path, change: Row, expected: str) -> None:
    good = run("a", "own", "lora", 0, 0.5, 0.7)
    message = refusal(write(tmp_path, [good, {**good, "seed": 1, **change}]))
    assert "results.csv:3: " in message
    assert expected in message
    assert "\n" not in message


def test_a_duplicate_run_is_refused(tmp_path: Path) -> None:
    row = run("a", "own", "lora", 7, 0.5, 0.7)
    assert "got 2 rows for a, own, lora, seed 7" in refusal(write(tmp_path, [row, row]))
