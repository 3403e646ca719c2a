"""Pages of many trials, and of studies in which little or nothing went right."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.analysis.study import page_data
from study.analysis.study.page import render, write_live_report, write_report
from study.errors import InputError
from study.storage.stored import StoredStudy
from tests.browser import CHROMIUM, WHY_NOT, Page, browser
from tests.study.analysis.balanced import Balanced
from tests.study.analysis.study.large_studies import large_study
from tests.study.analysis.study.made_studies import MadeStudy, finish


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip(WHY_NOT)
    with browser() as chromium:
        yield chromium.page()


def nothing(_: MadeStudy) -> None:
    """No trial yet."""


def begun(study: MadeStudy) -> None:
    study.create(0)


def one(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)


def one_report(study: MadeStudy) -> None:
    study.create(0)
    study.report(0, 1, 0.5)


def no_number(study: MadeStudy) -> None:
    for trial in range(4):
        study.run(trial, [None] * 8)


def all_failed(study: MadeStudy) -> None:
    for trial in range(4):
        study.create(trial)
        study.end(trial, "failed", "diverged: the loss is not finite")


def equal(study: MadeStudy) -> None:
    for trial in range(12):
        study.run(trial, [0.5] * 8)


POOR = (nothing, begun, one, one_report, no_number, all_failed, equal)


@pytest.mark.parametrize("what", POOR, ids=lambda what: what.__name__)
def test_a_poor_study_has_a_page_without_errors(
    what: Callable[[MadeStudy], None], study: MadeStudy, tab: Page
) -> None:
    what(study)
    for write in (write_report, write_live_report):
        write(StoredStudy.read(study.folder))
        tab.errors.clear()
        tab.open(study.folder.report, width=390)
        assert tab.errors == []
        assert tab.run("document.documentElement.scrollWidth") == 390
        assert "could not be drawn" not in tab.run("document.querySelector('main').innerText")


def test_a_journal_that_is_being_written_has_a_page(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)
    with study.folder.journal.open("a") as file:
        file.write('{"event": "created", "trial": 1, "par')
    assert "1 of 4 trials have ended" in Balanced(render(study.read())).text


def test_a_damaged_journal_is_one_line_that_names_the_doctor(study: MadeStudy) -> None:
    study.run(0, [0.5] * 8)
    text = study.folder.journal.read_text().replace('"step": 40', '"step": "x"')
    study.folder.journal.write_text(text)
    with pytest.raises(InputError, match=r"events\.jsonl:\d+: .*study\.doctor") as caught:
        write_report(StoredStudy.read(study.folder))
    assert "\n" not in str(caught.value)


def test_a_page_of_many_trials_says_which_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_data, "MOST", 20)
    study = large_study(tmp_path / "many", 90).read()
    page = render(study, live=True)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    numbers = json.loads(found[1])["trials"]["trial"]
    assert 15 <= len(numbers) <= 20
    assert study.result.headline is not None
    assert study.result.headline.trial in numbers
    assert f"This page has {len(numbers)} of 90 trials" in Balanced(page).text
    assert page.count("<tr data-trial=") == len(numbers)


def test_the_page_of_500_trials_is_small(tmp_path: Path) -> None:
    assert len(render(large_study(tmp_path / "many", 500).read(), live=True)) < 2_000_000


def test_a_live_page_has_the_answer_so_far(study: MadeStudy) -> None:
    finish(study)
    write_live_report(StoredStudy.read(study.folder))
    assert "test MCC" in study.folder.report.read_text()
    assert not (study.folder.path / "figures").exists()
