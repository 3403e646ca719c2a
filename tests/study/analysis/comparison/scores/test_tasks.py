"""Several tasks: ranks, signed-rank tests, critical difference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from study.analysis.comparison import analyse
from study.analysis.comparison.results import read_results
from study.analysis.comparison.scores.statistics import iqm
from study.analysis.comparison.scores.tasks import critical_difference, pool, rank_tasks
from study.analysis.comparison.sentences.answers import report_lines
from tests.study.analysis.comparison.made_comparisons import (
    ADALORA,
    LORA,
    RS,
    crossed,
    failed,
    write,
)

MEANS = {
    "t1": {"a": 0.9, "b": 0.8, "c": 0.7},
    "t2": {"a": 0.6, "b": 0.6, "c": 0.5},
    "t3": {"a": 0.7, "b": 0.8, "c": 0.1, "d": 0.3},
}


def test_ranks_are_means_over_tasks_and_ties_share_theirs() -> None:
    found = rank_tasks(MEANS)
    assert found is not None
    assert found.configurations == ["a", "b", "c"]
    assert found.mean_ranks.tolist() == pytest.approx([(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3, 3])
    assert found.left_out == ["d"]
    assert found.smallest_p == 0.25


def test_of_losses_the_smallest_has_rank_one() -> None:
    found = rank_tasks(MEANS, lower_is_better=True)
    assert found is not None
    assert found.mean_ranks.tolist() == pytest.approx([2.5, 2.5, 1])


def test_a_single_task_or_configuration_has_no_ranking() -> None:
    assert rank_tasks({"t1": MEANS["t1"]}) is None
    assert rank_tasks({"t1": {"a": 1.0}, "t2": {"b": 1.0, "a": 2.0}}) is None


@pytest.mark.parametrize(
    ("configurations", "tasks", "expected"),
    # Demsar 2006: q of Nemenyi's test at 5 % is 1.960, 2.569 and 3.164 for 2, 4 and 10.
    [(2, 10, 1.960), (4, 14, 2.569), (10, 20, 3.164)],
)
def test_the_critical_difference_is_nemenyis(
    configurations: int, tasks: int, expected: float
) -> None:
    k = configurations
    q = critical_difference(k, tasks) / np.sqrt(k * (k + 1) / (6 * tasks))
    assert q == pytest.approx(expected, abs=0.002)


def test_pairs_have_the_exact_signed_rank_test_and_holms_correction() -> None:
    rng = np.random.default_rng(0)
    table = rng.standard_normal((9, 3)) + np.array([1.5, 0, 0])
    found = rank_tasks(
        {f"t{n}": dict(zip("abc", row, strict=True)) for n, row in enumerate(table)}
    )
    assert found is not None
    first = found.pairs[0]
    assert first.p_value == pytest.approx(wilcoxon(table[:, 0], table[:, 1]).pvalue)
    assert first.wins == (table[:, 0] > table[:, 1]).sum()
    assert first.p_corrected is not None
    assert first.p_corrected >= first.p_value


def test_configurations_that_are_equal_everywhere_do_not_differ() -> None:
    found = rank_tasks({f"t{n}": {"a": n, "b": n} for n in range(4)})
    assert found is not None
    assert found.pairs[0].p_value == 1


def test_cliques_are_the_largest_groups_within_the_critical_difference() -> None:
    means = {
        f"t{n}": {"a": 5.0, "b": 4.0, "c": 3.0, "d": 2.0, "e": 1.0, "f": 0.0} for n in range(20)
    }
    found = rank_tasks(means)
    assert found is not None
    assert 1 < found.critical_difference < 2
    assert found.cliques == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


def test_pooled_iqm_counts_every_task_alike(tmp_path: Path) -> None:
    tasks = [
        read_results(write(tmp_path / str(n), crossed(rng=np.random.default_rng(n))))
        for n in range(2)
    ]
    found = pool(tasks, "test_mcc", np.random.default_rng(0))
    scores = [[run.values["test_mcc"] for run in task.configurations["lora"]] for task in tasks]
    one = found[2]
    assert (one.label, one.iqm) == ("lora", pytest.approx(np.mean([iqm(own) for own in scores])))
    assert one.iqm_limits[0] < one.iqm < one.iqm_limits[1]
    assert found[0].improvement == 0.5
    assert found[3].improvement < 0.05
    assert pool(tasks[:1], "test_mcc", np.random.default_rng(0)) == []


def test_the_winner_over_tasks_is_that_of_the_signed_ranks_not_of_the_number_of_wins() -> None:
    ahead = {f"task{n}": {"a": 0.6 + 0.01 * (n + 1) * (n < 6), "b": 0.6} for n in range(13)}
    ranking = rank_tasks(ahead)
    assert ranking is not None
    (pair,) = ranking.pairs
    assert (pair.wins, pair.better) == (6, "a")
    assert pair.p_value < 0.05


def test_failures_count_in_ranks_and_over_tasks(tmp_path: Path) -> None:
    folders = []
    for n in range(3):
        rows = crossed([replace(RS, level=0.8), ADALORA], (2, 2, 2), np.random.default_rng(n))
        rows[:6] = map(failed, rows[:6])
        folders.append(write(tmp_path / f"task{n}", rows))
    found = analyse(folders)
    text = "\n".join(report_lines(found))
    assert "Mean ranks (1 is best): adalora 1.00, adalora_rs 2.00." in text
    assert "scored as guessing in ranks and IQM: adalora_rs 18 of 24." in text
    assert found.pooled[0].iqm < 0.5
    assert found.pooled[1].improvement == pytest.approx(0.75)


def test_a_configuration_that_failed_altogether_on_a_task_is_ranked_last_there(
    tmp_path: Path,
) -> None:
    folders = []
    for n in range(2):
        rows = crossed([ADALORA, LORA], (1, 2, 2), np.random.default_rng(n))
        rows[:4] = map(failed, rows[:4])
        folders.append(write(tmp_path / f"task{n}", rows))
    ranking = analyse(folders).ranking
    assert ranking is not None
    assert ranking.mean_ranks.tolist() == [2, 1]


def test_folders_of_the_same_name_are_two_tasks(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / n / "same", crossed([ADALORA, LORA], (1, 2, 2), np.random.default_rng(3)))
        for n in "ab"
    ]
    found = analyse(folders)
    assert [task.name for task in found.tasks] == [str(folder) for folder in folders]
    assert found.ranking is not None
    assert len(found.ranking.tasks) == 2
