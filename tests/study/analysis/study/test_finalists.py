"""The race of the finalists on a study's page."""

from pathlib import Path
from typing import Any

from study.analysis.study.finalists import finalists
from study.analysis.study.page import write_report
from study.storage.stored import StoredStudy
from tests.study.analysis.study.made_studies import SPEC, MadeStudy


def raced(path: Path, **changes: Any) -> MadeStudy:
    """Eight complete trials, of which 3 and 5 race; 5 wins."""
    study = MadeStudy(path, SPEC.replace("trials: 4", "trials: 8"))
    for trial in range(8):
        study.run(trial, [{3: 0.5, 5: 0.45}.get(trial, 0.1)] * 8)
    race = {
        "candidates": [
            {"trial": 3, "search": 0.5, "fresh": [0.3]},
            {"trial": 5, "search": 0.45, "fresh": [0.42, None, 0.4, 0.44]},
        ],
        "rounds": [[3, 5]],
        "seeds": [{"init": s, "data": s, "mask": s} for s in (1001, 1002, 1003)],
        "failed": 1,
        "dev": {"dev_mcc": [None, 0.4, 0.44], "dev_auc": [None, 0.7, 0.71]},
        "test": {"test_mcc": [None, 0.39, 0.41], "test_auc": [None, 0.98, 0.99]},
    }
    dev, test = {"dev_mcc": 0.45}, {"test_mcc": 0.4}
    study.append("winner", trial=5, dev=dev, test=test, race=race | changes)
    return study


def test_a_study_without_a_race_has_no_finalists(tmp_path: Path) -> None:
    study = MadeStudy(tmp_path / "study")
    study.run(0, [0.1] * 8)
    study.append("winner", trial=0, dev={}, test={})
    assert finalists(study.read()) is None


def test_a_candidates_failed_runs_are_counted_and_not_averaged(tmp_path: Path) -> None:
    found = finalists(raced(tmp_path / "study").read())
    assert found is not None
    first, second = found.candidates
    assert (first.trial, first.failed, first.won, first.rounds) == (3, 0, False, 1)
    assert (second.trial, second.failed, second.won, second.fresh) == (
        5,
        1,
        True,
        [0.42, 0.4, 0.44],
    )
    assert (found.seeds, found.failed) == (3, 1)


def test_the_reported_scores_are_those_of_the_confirming_seeds(tmp_path: Path) -> None:
    found = finalists(raced(tmp_path / "study").read())
    assert found is not None
    (name, dev, test), (second, _, auc) = found.scores
    assert (name, second) == ("mcc", "auc")
    assert dev.startswith("0.4200 (")
    assert test.startswith("0.4000 (")
    assert auc.endswith("to 1.0000)")  # The interval ends where the metric does.


def test_the_page_gives_the_optimism_of_the_search(tmp_path: Path) -> None:
    study = raced(tmp_path / "study")
    page = write_report(StoredStudy.read(study.folder)).read_text()
    assert "0.2000 too optimistic" in page
    assert "1 of these runs failed" in page
    assert "finalists/results.csv" in page


def test_a_candidate_of_which_every_run_failed_has_no_mean(tmp_path: Path) -> None:
    candidates = [
        {"trial": 3, "search": 0.5, "fresh": [None]},
        {"trial": 5, "search": 0.4, "fresh": [0.4]},
    ]
    study = raced(tmp_path / "study", candidates=candidates)
    found = finalists(study.read())
    assert found is not None
    assert found.candidates[0].chose is None
    assert found.optimism == ""
    assert (
        "Does the winner win with other seeds?"
        in write_report(StoredStudy.read(study.folder)).read_text()
    )
