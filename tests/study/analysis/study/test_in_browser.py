"""The page in a real browser: it draws, sorts, filters and links, and asks the network nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.analysis.study.page import write_report
from study.storage.stored import StoredStudy
from tests.browser import CHROMIUM, WHY_NOT, Page, browser
from tests.study.analysis.study.made_studies import MadeStudy, finish

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
NASTY = '<img src=x onerror="alert(\'1\')"> & "quotes" </script>'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a finished study, one trial of which failed for a reason with HTML in it."""
    made = MadeStudy(tmp_path_factory.mktemp("browser") / "a & b")
    finish(made)
    made.create(4)
    made.end(4, "failed", NASTY)
    return write_report(StoredStudy.read(made.folder))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as chromium:
        yield chromium.page()


@pytest.fixture
def page(tab: Page, report: Path) -> Page:
    """The page on a desktop, opened anew."""
    tab.errors.clear()
    tab.requests.clear()
    tab.open(report)
    return tab


def numbers(page: Page) -> list[int]:
    """The trials of the table, in the order in which they are shown."""
    rows = "[...document.querySelectorAll('#trial-table tbody tr[data-trial]:not(.out)')]"
    shown: list[int] = page.run(f"{rows}.map(row => Number(row.dataset.trial))")
    return shown


def test_the_page_draws_without_an_error_and_asks_the_network_nothing(
    page: Page, report: Path
) -> None:
    assert page.errors == []
    assert {url for url in page.requests if not url.startswith("data:")} == {report.as_uri()}
    undrawn = "[...document.querySelectorAll('.plot')].filter(plot => !plot.querySelector('svg'))"
    assert page.run(f"{undrawn}.length") == 0


def test_text_of_a_trial_stays_text_in_what_scripts_make(page: Page) -> None:
    page.run("document.querySelector('tr[data-trial=\"4\"] .open').click()")
    assert NASTY in page.run("document.querySelector('tr.detail').textContent")
    assert page.run("document.querySelectorAll('tr.detail img').length") == 0


def test_a_click_on_a_column_sorts_and_another_one_turns_it(page: Page) -> None:
    click = "document.querySelector('#trial-table th[data-column=\"p\"] button').click()"
    page.run(click)
    assert numbers(page)[0] == 1
    page.run(click)
    assert numbers(page)[-1] == 1
    sort = "document.querySelector('th[data-column=\"p\"]').getAttribute('aria-sort')"
    assert page.run(sort) == "ascending"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("stopped", [1]),
        ("dev_mcc>=0.45", [0]),
        ("complete p<0.2", [0, 2]),
        ("state=complete p < 0.2", [0, 2]),
        ("nothing", []),
    ],
)
def test_the_filter_of_the_table_holds_for_charts(page: Page, text: str, left: list[int]) -> None:
    page.run(f"document.getElementById('trial-filter').value = {json.dumps(text)}")
    page.run("document.getElementById('trial-filter').dispatchEvent(new Event('input'))")
    assert numbers(page) == left
    marks = "document.querySelectorAll('#figure-learning_curves [data-trial]:not(.out)')"
    drawn = page.run(f"[...new Set([...{marks}].map(mark => Number(mark.dataset.trial)))].sort()")
    assert drawn == left


def test_the_filter_names_what_is_no_column(page: Page) -> None:
    page.run("document.getElementById('trial-filter').value = 'P<0.1'")
    page.run("document.getElementById('trial-filter').dispatchEvent(new Event('input'))")
    count = page.run("document.getElementById('trial-count').textContent")
    assert count.endswith("no column is called P")


def test_a_click_in_a_chart_selects_the_trial_everywhere(page: Page) -> None:
    mark = "document.querySelector('#figure-learning_curves [data-trial=\"2\"]')"
    page.run(f"{mark}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    assert page.run("document.querySelector('tr.selected').dataset.trial") == "2"
    assert page.run("document.querySelectorAll('#answer .strip circle.selected').length") == 4
    assert "trial 2" in page.run("document.querySelector('.chosen').textContent")
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert page.run("document.querySelectorAll('.selected').length") == 0


def test_a_row_opens_its_settings_curve_and_commands(page: Page) -> None:
    page.run("document.querySelector('tr[data-trial=\"1\"] .open').click()")
    detail = "document.querySelector('tr.detail')"
    assert page.run(f"{detail}.querySelectorAll('svg path').length") > 0
    assert page.run(f"{detail}.querySelector('.plot').ariaLabel") == "learning curve of trial 1"
    copies = f"[...{detail}.querySelectorAll('button')].map(button => button.textContent)"
    assert page.run(copies) == ["copy YAML", "copy command"]
    # What they copy, without the clipboard.
    page.run("page.copy = text => { window.copied = text }")
    page.run(f"{detail}.querySelectorAll('button')[0].click()")
    assert page.run("copied") == "adapter:\n  b0: 8\n  bT: 2\n  p: 0.3\ntraining:\n  lr: 0.0002"
    page.run(f"{detail}.querySelectorAll('button')[1].click()")
    assert page.run("copied").endswith(
        "--name 'a & b-trial-1' --set adapter.b0=8 --set adapter.bT=2 --set adapter.p=0.3 "
        "--set training.lr=0.0002"
    )


def test_a_column_is_hidden_until_it_is_chosen(page: Page) -> None:
    width = "document.querySelector('th[data-column=\"dev_auc\"]').offsetWidth"
    assert page.run(width) == 0
    box = "[...document.querySelectorAll('#trial-columns label')]"
    page.run(f"{box}.find(label => label.textContent.includes('dev_auc')).click()")
    assert page.run(width) > 0


def test_a_phone_does_not_scroll_sideways_and_dark_is_dark(tab: Page, report: Path) -> None:
    tab.errors.clear()
    tab.open(report, width=390, height=844, dark=True)
    assert tab.run("document.documentElement.scrollWidth") == 390
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)"
    assert tab.errors == []


def test_charts_are_drawn_again_for_another_width(tab: Page, report: Path) -> None:
    tab.open(report, width=1400)
    plot = "document.querySelector('#figure-learning_curves svg').clientWidth"
    assert tab.run(plot) > 900
    tab.resize(500, 800)
    tab.until("document.querySelector('#figure-learning_curves svg').clientWidth < 500")
    viewbox = "document.querySelector('#figure-learning_curves svg').getAttribute('width')"
    tab.until(f"Number({viewbox}) < 500")
