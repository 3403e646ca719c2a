"""All charts in a real browser: they draw on a desktop and a phone, select, and filter."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study.analysis.study.page import write_report
from study.storage.stored import StoredStudy
from tests.browser import CHROMIUM, WHY_NOT, Page, browser
from tests.study.analysis.study.made_studies import MadeStudy
from tests.study.analysis.study.rich_studies import many_seeds, rich_study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
PLOTS = "[...document.querySelectorAll('.plot')]"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = rich_study(tmp_path_factory.mktemp("browser") / "rich")
    many_seeds(made)
    return write_report(StoredStudy.read(made.folder))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as chromium:
        yield chromium.page()


@pytest.fixture(scope="module")
def page(tab: Page, report: Path) -> Page:
    """The page on a desktop, with the closed parts opened."""
    tab.open(report, width=1200)
    tab.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
    tab.until(f"{PLOTS}.every(plot => plot.querySelector('svg'))")
    return tab


def test_every_chart_is_drawn_without_a_warning(page: Page) -> None:
    assert page.errors == []
    assert page.run(f"{PLOTS}.length") == 19
    assert page.run(f"{PLOTS}.filter(plot => plot.textContent.includes('NaN')).length") == 0
    empty = "svg => !svg.querySelector('path, circle, rect')"
    assert (
        page.run(f"{PLOTS}.flatMap(p => [...p.querySelectorAll('svg')]).filter({empty}).length")
        == 0
    )


def test_print_has_the_choice_of_a_menu_as_text(page: Page) -> None:
    widths = page.run("[...document.querySelectorAll('.menu .paper')].map(one => one.offsetWidth)")
    assert set(widths) == {0}
    page.call("Emulation.setEmulatedMedia", media="print")
    chosen = "[...document.querySelectorAll('.menu')].map(one => one.innerText.trim())"
    assert "two settings: p × bT" in page.run(chosen)
    page.call("Emulation.setEmulatedMedia", media="")


def test_the_line_of_an_effect_hides_no_trial(page: Page) -> None:
    order = "[...document.querySelector('#figure-effects .panels svg').children]"
    last = page.run(f"{order}.map(one => one.getAttribute('class') ?? '').at(-1)")
    assert "winner" in last


def test_a_trial_of_any_chart_selects_it_in_the_others(page: Page) -> None:
    number = page.run(
        "document.querySelector('#figure-effects .complete [data-trial]').dataset.trial"
    )
    for name in ("effects", "parallel", "timeline", "tradeoffs", "race"):
        mark = f"document.querySelector('#figure-{name} svg [data-trial]')"
        page.run(
            f"page.select(null); {mark}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"
        )
        chosen = page.run(f"{mark}.dataset.trial")
        assert page.run("page.state.selected") == int(chosen)
        assert page.run("document.querySelectorAll('#figure-effects .selected').length") > 0
    page.run(f"page.select(null); page.select({number})")
    assert page.run("document.querySelectorAll('#figure-parallel .selected').length") == 2
    page.run("page.select(null)")


def test_a_range_on_an_axis_keeps_the_trials_in_it_everywhere_until_a_click(page: Page) -> None:
    page.run("document.getElementById('figure-parallel').scrollIntoView()")
    axis = "document.querySelector('#figure-parallel .brush .overlay')"
    box: dict[str, Any] = page.run(
        f"(b => ({{x: b.x, y: b.y, w: b.width, h: b.height}}))({axis}.getBoundingClientRect())"
    )
    x, top, middle = box["x"] + box["w"] / 2, box["y"] + 2, box["y"] + box["h"] / 2
    _drag(page, x, top, middle)
    first = "page.data.figures.parallel.options.axes[0]"
    assert page.run(f"{first}.name") == "b0"
    least = page.run("d3.min([...page.state.shown], n => page.byNumber.get(n).settings.b0)")
    assert least >= 9
    kept = page.run("page.state.shown.size")
    assert 0 < kept < page.run("page.trials.length")
    assert page.run("document.querySelectorAll('tr[data-trial]:not(.out)').length") == kept
    assert page.run("document.querySelectorAll('#figure-effects .complete .out').length") > 0
    page.resize(900, 900)  # Drawn anew, the range stays.
    selection = "document.querySelector('#figure-parallel .brush .selection')"
    page.until(f"{selection}.getBoundingClientRect().height > 20")
    assert page.run("page.state.shown.size") == kept
    box = page.run(
        f"(b => ({{x: b.x, y: b.y, w: b.width, h: b.height}}))({axis}.getBoundingClientRect())"
    )
    _drag(page, box["x"] + box["w"] / 2, box["y"] + box["h"] - 4, box["y"] + box["h"] - 4)
    assert page.run("page.state.shown") is None
    page.resize(1200, 900)


def test_the_menus_change_what_a_chart_shows(page: Page) -> None:
    for name in ("pairs", "tradeoffs", "raster", "final_ranks"):
        shown = f"document.querySelector('#figure-{name} .stack').innerHTML"
        before = page.run(shown)
        _choose(page, name, "menu.selectedIndex = (menu.selectedIndex + 1) % menu.length")
        assert page.run(shown) != before, name
    _choose(page, "tradeoffs", "menu.value = 'trainable_parameters'")
    assert page.run("document.querySelectorAll('#figure-tradeoffs .paper > *').length") == 16
    assert page.errors == []


def test_a_phone_shows_every_chart_within_its_width(tab: Page, report: Path) -> None:
    tab.errors.clear()
    tab.open(report, width=390, height=844, dark=True)
    assert tab.errors == []
    assert tab.run("document.documentElement.scrollWidth") == 390
    wide = "svg => svg.getBoundingClientRect().right > 391"
    assert (
        tab.run(f"{PLOTS}.flatMap(p => [...p.querySelectorAll('svg')]).filter({wide}).length") == 0
    )


def _drag(page: Page, x: float, start: float, end: float) -> None:
    held = {"button": "left", "clickCount": 1}
    page.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=start, **held)
    for step in (1, 2, 3):
        y = start + (end - start) * step / 3
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=1)
    page.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=end, **held)


def _choose(page: Page, chart: str, how: str) -> None:
    menu = f"document.querySelector('#figure-{chart} select')"
    page.run(f"(menu => {{ {how}; menu.dispatchEvent(new Event('change')) }})({menu})")


def test_keys_have_only_states_that_trials_have(tab: Page, tmp_path: Path) -> None:
    made = MadeStudy(tmp_path / "study")
    made.run(0, [0.1] * 8)
    made.create(1)
    made.end(1, "failed", "diverged")
    tab.open(write_report(StoredStudy.read(made.folder)))
    for name in ("effects", "parallel"):
        texts = tab.run(f"document.querySelector('#figure-{name} .chart-key').textContent")
        assert "failed" in texts
        assert "stopped early" not in texts
