"""A benchmark's folder, read as comparisons of its methods."""

from pathlib import Path

import numpy as np
import pytest

from study.analysis.comparison import analyse, write_analysis
from study.analysis.comparison.sentences.answers import report_lines
from study.errors import InputError

HEADER = "backbone,task,method,seed,state,reason,test_mcc,test_auc\n"


def write(folder: Path, rows: list[str]) -> Path:
    (folder / "results.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return folder


def rows_of(task: str, ahead: float, seeds: int = 12) -> list[str]:
    return [
        f"mini,{task},{method},{seed},complete,,{0.5 + 0.003 * (seed % 5) + more:.4f},0.8"
        for seed in range(seeds)
        for method, more in (("lora", ahead + 0.001 * (seed % 3)), ("fmft", 0.0))
    ]


def test_every_task_and_backbone_is_a_comparison_with_its_own_page(tmp_path: Path) -> None:
    rows = [
        *rows_of("prom/tata", 0.05),
        *rows_of("emp/h3", 0.0),
        ",emp/h3,kmer,,complete,,0.4,0.7",
    ]
    analysis = analyse([write(tmp_path, rows)])
    assert [task.name for task in analysis.tasks] == ["prom-tata-mini", "emp-h3-mini"]
    first, second = (task.pairs[0] for task in analysis.tasks)
    assert (first.winner, first.family) == ("lora", 2)
    assert second.decision == "equal"
    assert "Yes: it is better than every other configuration." in "\n".join(report_lines(analysis))
    pages = [path for path in write_analysis(analysis) if path.name == "report.html"]
    assert pages[0] == tmp_path / "comparisons" / "prom-tata-mini" / "report.html"
    assert not (tmp_path / "report.html").exists()


def test_stored_predictions_count_the_test_set(tmp_path: Path) -> None:
    rows = rows_of("a", 0.05)
    header = HEADER.replace("backbone", "run,backbone")
    numbered = [f"{n},{row}" for n, row in enumerate(rows)]
    (tmp_path / "results.csv").write_text(header + "\n".join(numbered) + "\n")
    assert analyse([tmp_path]).tasks[0].pairs[0].tau is None
    (tmp_path / "outputs").mkdir()
    labels, rng = np.arange(400) % 2, np.random.default_rng(0)
    for n in range(len(rows)):
        right = rng.random(400) < 0.75
        probabilities = np.eye(2)[np.where(right, labels, 1 - labels)]
        arrays = {"test": probabilities, "labels_test": labels}
        np.savez(tmp_path / "outputs" / f"run-{n:05d}.npz", **arrays)
    (task,) = analyse([tmp_path]).tasks
    assert task.rows == 400
    assert task.pairs[0].tau is not None
    assert task.pairs[0].over_test_sets is not None


def test_runs_that_failed_or_wait_are_counted(tmp_path: Path) -> None:
    rows = rows_of("a", 0.05)
    rows[4] = "mini,a,lora,2,failed,diverged,,"
    rows[21] = "mini,a,fmft,10,planned,,,"
    (pair,) = analyse([write(tmp_path, rows)]).tasks[0].pairs
    assert pair.hurdle.a.k == 1
    assert (pair.pending, len(pair.differences)) == (1, 9)


def test_a_benchmark_without_two_methods_and_another_metric_are_refused(tmp_path: Path) -> None:
    only = [row for row in rows_of("a", 0.0) if "lora" in row]
    with pytest.raises(InputError, match="must have two methods"):
        analyse([write(tmp_path, only)])
    with pytest.raises(InputError, match="must be test_mcc or test_auc for a benchmark"):
        analyse([write(tmp_path, rows_of("a", 0.0))], "test_f1")
