from pathlib import Path

import pytest

from study.analysis.several import comparing
from study.report import main
from tests.browser import CHROMIUM, WHY_NOT, browser
from tests.study.analysis.balanced import Balanced
from tests.study.analysis.study.made_studies import SPEC, MadeStudy, finish


def finished(path: Path, spec: str = SPEC) -> MadeStudy:
    made = MadeStudy(path, spec)
    finish(made)
    return made


def test_several_studies_are_on_a_page_in_their_common_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [finished(tmp_path / "one" / "a").folder, finished(tmp_path / "b").folder]
    assert main([str(folder.path) for folder in folders]) == 0
    together = tmp_path / "studies.html"
    written = capsys.readouterr().out.split()
    assert written == [*(str(folder.report) for folder in folders), str(together)]
    page = Balanced(together.read_text())
    assert {"one/a/report.html", "b/report.html"} <= set(page.links)
    assert "Of one run each, so that differences may be those of seeds: a, b." in page.text


def test_a_single_study_has_no_such_page(tmp_path: Path) -> None:
    assert main([str(finished(tmp_path / "a").folder.path)] * 2) == 0
    assert not (tmp_path / "studies.html").exists()


def test_the_best_on_test_comes_first_and_one_without_a_score_last(tmp_path: Path) -> None:
    begun = MadeStudy(tmp_path / "begun")
    low, high = MadeStudy(tmp_path / "low"), MadeStudy(tmp_path / "high")
    for made, score in ((low, 0.1), (high, 0.3)):
        made.run(0, [0.5] * 8)
        made.append("winner", trial=0, dev={"dev_mcc": 0.5}, test={"test_mcc": score})
    studies = [begun.read(), low.read(), high.read()]
    assert [study.name for study in comparing.in_order(studies)] == ["high", "low", "begun"]


def test_studies_of_other_tasks_are_not_compared(tmp_path: Path) -> None:
    other = SPEC.replace("train: 320", "train: 640")
    studies = [finished(tmp_path / "a").read(), finished(tmp_path / "b", other).read()]
    assert "different tasks: promoters (320 train" in comparing.differences(studies)[0]
    assert not any("tasks" in text for text in comparing.differences(studies[:1] * 2))


def test_studies_of_the_same_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    studies = [finished(tmp_path / place / "a").read() for place in ("x", "y")]
    assert set(comparing.scores(studies)["study"]) == {"x/a", "y/a"}


def test_ranges_have_the_values_tried_and_the_winners(tmp_path: Path) -> None:
    columns = comparing.ranges([finished(tmp_path / "a").read()])
    at = columns["setting"].index("p")
    assert [columns[name][at] for name in ("winner", "tried_low", "tried_high")] == [0.1, 0.1, 0.3]
    assert columns["log"][at] is False
    assert columns["log"][columns["setting"].index("lr")] is True


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
def test_the_page_draws_on_a_phone(tmp_path: Path) -> None:
    folders = [str(finished(tmp_path / name).folder.path) for name in ("a", 'b"<i>')]
    assert main(folders) == 0
    with browser() as chromium:
        tab = chromium.page()
        tab.open(tmp_path / "studies.html", width=390)
        assert tab.errors == []
        assert tab.run("document.querySelectorAll('.plot svg').length") >= 5
        assert tab.run("document.documentElement.scrollWidth") == 390
        tab.run("document.querySelector('th button.sort').click()")
        assert tab.run("document.querySelector('tbody th').textContent") == "a"
