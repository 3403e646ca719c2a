"""Makes the pictures of the README from the folder of a finished study; needs chromium.

    python -m study.run --space adalora_rs.yaml
    python -m tests.data.pictures runs/adalora_rs

`report.png` is the top of the study's report, `live_view.png` what its terminal showed when two
thirds of the search's events were written.
"""

# ruff: noqa: T201
import argparse
import io
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from study.analysis.study.page import render
from study.analysis.study.reading import read_study
from study.engine.console.view import view
from study.storage.folder import StudyFolder
from study.storage.live.reading import read_snapshot
from study.storage.stored import StoredStudy
from tests.browser import Page, browser

HERE = Path(__file__).parent
COLUMNS, LINES = 80, 24
REPORT_SIZE, VIEW_WIDTH = (1120, 1000), 800
"""Pixels."""


def main() -> None:
    """Writes both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="the folder of a finished study")
    study = parser.parse_args().study
    with tempfile.TemporaryDirectory() as scratch, browser() as chromium:
        page = chromium.page()
        report = Path(scratch) / "report.html"
        content = render(read_study(StoredStudy.read(StudyFolder(study))))
        report.write_text(content.replace(str(study.absolute()), str(study)), encoding="utf-8")
        page.open(report, *REPORT_SIZE)
        _save(page, HERE / "report.png", *REPORT_SIZE)
        live = Path(scratch) / "view.html"
        live.write_text(live_view(study, Path(scratch) / study.name), encoding="utf-8")
        page.open(live, VIEW_WIDTH, 100)
        _save(page, HERE / "live_view.png", VIEW_WIDTH, page.run("document.body.offsetHeight"))
    print(HERE / "report.png", HERE / "live_view.png", sep="\n")


def live_view(study: Path, part: Path) -> str:
    """Returns the view of an unfinished copy of a study, made at `part`, as HTML."""
    folder, whole = StudyFolder(part), StudyFolder(study)
    part.mkdir()
    shutil.copy(whole.spec, folder.spec)
    lines = whole.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(lines[: 2 * len(lines) // 3]))
    now = StoredStudy.read(folder).events[-1].time + 1
    lines_shown = view(read_snapshot(part, now), COLUMNS, LINES)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    for line in lines_shown:
        console.print(Text(line.text, style=line.style), soft_wrap=True)
    return console.export_html(
        theme=MONOKAI,
        code_format=(
            "<!DOCTYPE html><meta charset=utf-8><style>{stylesheet} body {{ margin: 0; padding: "
            "14px 18px; color: {foreground}; background: {background}; font: 15px/1.35 "
            "'DejaVu Sans Mono', monospace }} pre {{ margin: 0; font: inherit }}</style>"
            "<body><pre>{code}</pre></body>"
        ),
    )


def _save(page: Page, file: Path, width: int, height: int) -> None:
    """Saves the top of what a tab shows."""
    page.resize(width, height)
    page.screenshot(file, height)


if __name__ == "__main__":
    main()
