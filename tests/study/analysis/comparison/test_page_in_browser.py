"""The pages of a comparison and a benchmark in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.analysis.benchmark.writing import write_tables
from study.analysis.comparison import analyse, write_analysis
from tests.browser import CHROMIUM, WHY_NOT, Page, browser
from tests.study.analysis.benchmark.made_results import run, write

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
RECORDED = Path(__file__).parents[3] / "data" / "seeds_tata"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as chromium:
        yield chromium.page()


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "seeds"
    folder.mkdir()
    for name in ("results.csv", "spec.yaml"):
        shutil.copy(RECORDED / name, folder / name)
    write_analysis(analyse([folder]))
    return folder / "report.html"


def test_every_run_of_a_comparison_is_drawn_with_its_seeds(tab: Page, comparison: Path) -> None:
    tab.open(comparison)
    assert tab.errors == []
    assert tab.run("document.querySelectorAll('#figure-runs .runs circle').length") == 72
    tip = tab.run("document.querySelector('#figure-runs .runs circle').dataset.tip")
    assert "init" in tip
    assert len((comparison.parent / "figures" / "runs.csv").read_text().splitlines()) == 73


def test_the_table_of_a_comparison_sorts(tab: Page, comparison: Path) -> None:
    tab.open(comparison, width=390)
    assert tab.run("document.documentElement.scrollWidth") == 390
    heads = "[...document.querySelectorAll('#scores th')]"
    tab.run(f"{heads}.find(head => head.textContent === 'sd').querySelector('button').click()")
    first = tab.run("document.querySelector('#scores tbody tr').textContent")
    assert "fmft" in first


def test_a_benchmark_has_a_tooltip_for_every_mean(tab: Page, tmp_path: Path) -> None:
    rows = [
        run("net", "own", method, 0, mcc, 0.7) for method, mcc in (("lora", 0.4), ("<b>", 0.3))
    ]
    write_tables(write(tmp_path / "made", rows))
    tab.errors.clear()
    tab.open(tmp_path / "made" / "report.html", width=390)
    assert tab.errors == []
    assert tab.run("document.documentElement.scrollWidth") == 390
    tips = "[...document.querySelectorAll('#figure-scores .means > *')].map(m => m.dataset.tip)"
    assert sorted(tab.run(tips)) == ["own, net, <b>: 0.3 (1 run)", "own, net, lora: 0.4 (1 run)"]
