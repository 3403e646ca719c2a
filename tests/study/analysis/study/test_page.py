import csv
import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from pathlib import Path

import pytest

from study.analysis import html
from study.analysis.study.page import render, write_report
from study.errors import InputError
from study.storage.commands import compare_seeds, predict, reproduce
from study.storage.stored import StoredStudy
from tests.study.analysis.balanced import Balanced
from tests.study.analysis.study.made_studies import FIXED, MadeStudy, finish, made_trace


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a finished study."""
    made = MadeStudy(tmp_path_factory.mktemp("page") / "made")
    finish(made)
    return render(made.read())


def page_of(made: MadeStudy) -> Balanced:
    return Balanced(render(made.read()))


def test_a_finished_study_has_its_sections_in_order(page: str) -> None:
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert headings == [
        "The best trial, but something is wrong",
        "Which settings work?",
        "What happened?",
        "What did the method do?",
        "Trade-offs",
        "All trials",
        "Failures",
        "Data and provenance",
    ]


def test_nothing_is_fetched(page: str) -> None:
    parsed = Balanced(page)
    for source in parsed.sources + parsed.links:
        assert source.startswith(("data:", "#")), source
    assert not {"iframe", "object", "embed"} & set(parsed.tags)
    assert "url(" not in page.split("<script")[0]


def test_only_the_scripts_of_the_page_may_run(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == len(re.findall("<script>", page)) > 5
    rules = {rule.split()[0]: rule.split()[1:] for rule in unescape(policy[1]).split(";")}
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert rules["script-src"] == [f"'sha256-{digest}'" for digest in digests]
    assert rules["default-src"] == ["'none'"]


def test_the_numbers_of_a_chart_are_in_the_page_and_beside_it(finished: MadeStudy) -> None:
    page = write_report(StoredStudy.read(finished.folder)).read_text()
    stored = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert stored is not None
    columns = json.loads(stored[1])["figures"]["learning_curves"]["columns"]
    beside = finished.folder.path / "figures" / "learning_curves.csv"
    rows = list(csv.DictReader(beside.read_text().splitlines()))
    assert [float(row["score"]) for row in rows] == columns["score"]
    assert len(rows) == 8 + 2 + 8


def test_text_of_a_trial_is_escaped(study: MadeStudy) -> None:
    study.create(0)
    study.end(0, "failed", "<script>alert(1)</script> & more")
    assert "<script>alert" not in render(study.read())
    assert "<script>alert(1)</script> & more" in page_of(study).text


def test_text_of_the_spec_is_escaped(study: MadeStudy) -> None:
    spec = study.folder.spec
    spec.write_text(spec.read_text().replace("opt-dna-mini", '"<img src=x>"'))
    page = page_of(study)
    assert "x" not in page.sources
    assert page.text.count("<img src=x>") == 2


def test_the_commands_of_a_finished_study_are_on_its_page(finished: MadeStudy) -> None:
    page, folder = page_of(finished), finished.folder.path
    assert "--storage" in reproduce(folder)
    for command in (reproduce(folder), predict(folder), compare_seeds(folder)):
        assert command in page.text


def test_an_unfinished_study_has_no_commands(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)
    assert "Train it again" not in page_of(study).text


def test_the_counts_include_every_state(page: str) -> None:
    assert "2complete 1stopped early 1failed 0unfinished" in Balanced(page).text


def test_failures_are_grouped_by_reason_with_the_first_traceback(study: MadeStudy) -> None:
    for trial, reason in enumerate(["out of memory", "a bug", "out of memory"]):
        study.create(trial)
        study.end(trial, "failed", reason)
    study.folder.failures.mkdir()
    study.folder.failure(0).write_text("Traceback <b>")
    text = page_of(study).text
    assert "out of memory trials 0 2" in text
    assert "trial 0: failures/trial-00000.txt Traceback <b>" in text
    assert text.index("out of memory trials") < text.index("a bug trial 1")


def test_the_winner_of_a_single_run_is_said_to_be_optimistic(page: str) -> None:
    text = Balanced(page).text
    assert "Trial 0. The dev score is of the single run by which it was chosen" in text
    assert "so it is optimistic" in text
    assert "test MCC 0.400" in text


def test_an_interrupted_study_shows_its_best_trial_so_far(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)
    study.create(1)
    text = page_of(study).text
    assert "not finished: 1 of 4 trials have ended, 1 are unfinished" in text
    assert "Best so far" in text
    assert "test MCC 0" not in text


def test_a_study_without_the_final_evaluation_says_so(study: MadeStudy) -> None:
    for trial in range(4):
        study.run(trial, [0.5] * 8)
    assert "chosen, but not yet evaluated on the test split" in page_of(study).text


def test_a_study_without_trials_has_a_page(study: MadeStudy) -> None:
    text = page_of(study).text
    assert "No answer yet" in text
    assert "No trial has reported a score" in text
    assert "No trial was started" in text


def test_a_study_with_an_empty_journal_has_a_page(study: MadeStudy) -> None:
    study.folder.journal.write_text("")
    assert "0 of 4 trials have ended" in page_of(study).text


def test_a_study_with_only_failures_has_a_page(study: MadeStudy) -> None:
    for trial in range(4):
        study.create(trial)
        study.report(trial, 1, None)
        study.end(trial, "failed", "diverged: the loss is not finite")
    page = page_of(study)
    assert "ended without a winner" in page.text
    assert "diverged: the loss is not finite trials 0 1 2 3" in page.text


def test_a_study_without_domains_and_with_a_loss_has_a_page(tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "fixed", FIXED, reports=1)
    for trial, loss in enumerate([0.7, 0.5]):
        made.create(trial, {})
        made.report(trial, 1, loss, "dev_loss")
        made.end(trial, "complete")
    made.folder.best.mkdir()
    made.append("winner", trial=1, dev={"dev_loss": 0.5}, test={"test_loss": None})
    text = page_of(made).text
    assert "No parameter was searched" in text
    assert "smaller is better" in text
    assert "dev loss 0.500" in text
    assert "test loss 0" not in text


def test_a_complete_trial_without_a_score_does_not_win(study: MadeStudy) -> None:
    study.run(0, [None] * 8)
    assert "No trial was completed with a score" in page_of(study).text


def test_versions_are_those_recorded_in_the_journal(study: MadeStudy) -> None:
    event = '{"event": "study", "time": 1, "name": "made", "created_with": {"torch": "0.0.7"}}\n'
    study.folder.journal.write_text(event)
    text = page_of(study).text
    assert "torch0.0.7" in text
    assert "installed where this page was made" not in text


def test_enough_trials_add_curves_and_importance_but_not_while_the_study_runs(
    study: MadeStudy,
) -> None:
    for trial in range(12):
        params = {"p": 0.02 * trial, "b0": 6 + trial % 8, "bT_ratio": 0.5, "lr": 1e-3}
        study.run(trial, [0.5 - 0.02 * trial] * 8, params)
    text = page_of(study).text
    assert "Curve and band: a Gaussian process" in text
    assert "bootstrap samples of the 12 complete trials" in text
    live = Balanced(render(study.read(), live=True)).text
    assert "No curve: the study is still running." in live
    assert "bootstrap samples" not in live


def test_many_trials_and_layers_have_a_page(study: MadeStudy) -> None:
    for trial in range(60):
        study.run(trial, [0.01 * trial] * (8 if trial % 3 else 2))
    study.set_winner(59, made_trace(layers=24))
    page = page_of(study)
    assert page.tags.count("tr") > 60
    assert "after each mask event" in page.text


def test_the_report_is_written_whole_and_replaces_the_last_one(study: MadeStudy) -> None:
    study.folder.report.write_text("old")
    path = write_report(StoredStudy.read(study.folder))
    assert path == study.folder.report
    assert path.read_text().rstrip().endswith("</html>")
    assert not [file for file in study.folder.path.iterdir() if file.suffix == ".partial"]


def test_a_report_that_cannot_be_written_is_an_input_error(
    study: MadeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(html, "replacing", refuse)
    with pytest.raises(InputError, match=r"report\.html: must be writable"):
        write_report(StoredStudy.read(study.folder))
